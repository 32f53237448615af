"""run, submit, watch: what is shown, where, and what the exit code says."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from greenlight_client.cli.exit_codes import ExitCode
from tests.e2e.pair import Pair

ADD: dict[str, Any] = {"key": "sum", "tool": "add", "arguments": {"a": 2, "b": 3}}
MORE = {"key": "more", "tool": "add", "arguments": {"a": {"$from": "sum"}, "b": 10}}
BROKEN = {"key": "bad", "tool": "broken"}
PUBLISH = {"key": "out", "tool": "publish", "arguments": {"text": "hello"}}
SLOW = {"key": "slow", "tool": "steps", "arguments": {"number": 3, "seconds": 1.5}}


def test_results_on_stdout_what_happens_on_stderr(shared: Pair) -> None:
    done = shared.run([ADD, MORE], "--name", "sums")
    assert done.code == ExitCode.SUCCEEDED, done.err
    assert [line.split() for line in done.out.splitlines()] == [["sum", "succeeded", "5"], ["more", "succeeded", "15"]]
    assert "sums: 2 proposals" in done.err
    assert "agent/sum running" in done.err
    assert "agent/more done in" in done.err
    assert "succeeded: 2 of 2 succeeded" in done.err


@pytest.mark.parametrize(
    ("proposals", "words", "code"),
    [
        ([ADD, BROKEN], (), ExitCode.PARTIAL),
        ([BROKEN], (), ExitCode.FAILED),
        ([ADD, PUBLISH], ("--until", "blocked"), ExitCode.AWAITING_DECISION),
        ([SLOW], ("--wait", "200ms"), ExitCode.UNFINISHED),
        ([{"tool": "nonsense"}], (), ExitCode.REFUSED),
        ([{**ADD, "arguments": {"a": "x"}}], (), ExitCode.REFUSED),
        ([{**ADD, "arguments": {"a": "x"}}], ("--on-invalid", "fail_call"), ExitCode.FAILED),
        ([MORE], (), ExitCode.REFUSED),
    ],
)
def test_exit_codes(shared: Pair, proposals: list[dict[str, Any]], words: tuple[str, ...], code: ExitCode) -> None:
    done = shared.run(proposals, *words)
    assert done.code == code, done.err


def test_a_refusal_says_what_is_wrong_where(shared: Pair) -> None:
    done = shared.run([ADD, {"key": "x", "tool": "nonsense"}])
    assert "BATCH_INVALID" in done.err
    assert "nonsense" in done.err
    assert "[1]" in done.err


def test_json_is_one_object_a_line(shared: Pair) -> None:
    done = shared.run([ADD, {"key": "again", "tool": "flaky"}], "--json")
    assert done.code == 0
    events = done.of("event")
    assert [int(event["sequence"]) for event in events] == list(range(1, len(events) + 1))
    assert "attempt_retrying" in {name for event in events for name in event}
    assert done.objects[-1]["type"] == "summary"
    summary = done.of("summary")[0]
    assert [answer["result_json"] for answer in summary["answers"]] == ["5", '"attempt 2"']
    assert summary["batch"]["state"] == "BATCH_STATE_SUCCEEDED"


def test_an_error_is_an_object_too(shared: Pair) -> None:
    error = shared.run([{"tool": "nonsense"}], "--json").of("error")[0]
    assert error["code"] == "INVALID_ARGUMENT"
    assert error["reason"] == "BATCH_INVALID"
    assert error["violations"]


def test_what_waits_for_a_person_says_what_to_do_when_it_blocks(shared: Pair, tmp_path: Path) -> None:
    file = tmp_path / "asked.json"
    file.write_text(json.dumps([PUBLISH, {**PUBLISH, "key": "second"}]))
    with shared.started("run", str(file)) as run:
        assert run.stderr is not None
        said: list[str] = []
        while len(said) < 2 or "needs you" not in said[-2]:
            said.append(run.stderr.readline())
            assert said[-1], "".join(said)
        commands = [line.partition("needs you: greenlight ")[2].split() for line in said[-2:]]
        for words in commands:
            assert shared.greenlight(*words, "--yes").code == 0
        _, rest = run.communicate(timeout=20)
    assert run.returncode == 0
    assert "needs you" not in rest


def test_detached_and_watched_by_a_beginning_of_its_id(shared: Pair) -> None:
    batch = shared.submit([SLOW])
    done = shared.greenlight("watch", batch[:30])
    assert done.code == 0, done.err
    assert "progress: 67% step 2 of 3" in done.err or "progress" in done.err
    again = shared.greenlight("watch", batch, "--json")
    sequences = [int(event["sequence"]) for event in again.of("event")]
    later = shared.greenlight("watch", batch, "--after", "3", "--json")
    assert [int(event["sequence"]) for event in later.of("event")] == sequences[3:]


def test_run_detached_prints_the_id(shared: Pair) -> None:
    done = shared.run([ADD], "--detach")
    assert len(done.out.strip()) == 36
    assert f"greenlight watch {done.out.strip()}" in done.err


def test_ctrl_c_detaches_and_the_batch_goes_on(shared: Pair, tmp_path: Path) -> None:
    file = tmp_path / "slow.json"
    file.write_text(json.dumps([SLOW]))
    with shared.started("run", str(file)) as run:
        assert run.stderr is not None
        first = run.stderr.readline()
        batch = first.split()[2].rstrip(":")
        time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        _, rest = run.communicate(timeout=10)
    assert run.returncode == ExitCode.INTERRUPTED
    assert f"greenlight watch {batch}" in rest
    assert shared.greenlight("watch", batch).code == 0


def test_a_template_file_with_parameters(shared: Pair) -> None:
    (shared.folder / "sums.yaml").write_text(
        """
format: 1
name: sums
version: "1"
description: Adds.
parameters:
  properties: {start: {type: integer}}
  required: [start]
agents:
  adder:
    proposals:
      first: {tool: add, arguments: {a: {$param: start}, b: 1}}
      second: {tool: add, arguments: {a: {$from: first}, b: 1}}
"""
    )
    done = shared.greenlight("run", "sums.yaml", "-p", "start=40")
    assert done.code == 0, done.err
    assert done.out.splitlines()[1].split() == ["second", "succeeded", "42"]
    assert shared.greenlight("template", "check", "sums.yaml", "-p", "start=1").out.startswith("sums.yaml is valid: 2")
    wrong = shared.greenlight("template", "check", "sums.yaml", "-p", "start=many")
    assert wrong.code == ExitCode.USAGE
    assert "start" in wrong.err


_NAMED = """
format: 1
name: named
version: "1"
parameters:
  properties: {customer: {type: string}, start: {type: integer}}
  required: [customer, start]
agents:
  adder:
    proposals:
      first: {tool: add, arguments: {a: {$param: start}, b: 1}}
"""


@pytest.mark.parametrize("words", [("run",), ("run", "--detach"), ("template", "check")])
def test_parameters_that_are_wrong_are_told_once_and_how_to_give_them(
    shared: Pair, tmp_path: Path, words: tuple[str, ...]
) -> None:
    file = tmp_path / "named.yaml"
    file.write_text(_NAMED)
    missing = shared.greenlight(*words, str(file))
    assert missing.code == ExitCode.USAGE
    assert missing.err.count("required property") == 2
    assert "--param NAME=VALUE" in missing.err
    number = shared.greenlight(*words, str(file), "-p", "start=1", "-p", "customer=17")
    assert number.code == ExitCode.USAGE
    assert number.err.count('17 is not of type "string"') == 1
    assert """-p 'customer="17"'""" in number.err
    assert "NAME=VALUE" not in number.err
    assert shared.greenlight(*words, str(file), "-p", "start=1", "-p", 'customer="17"').code == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "nosuch"), "INVALID_ARGUMENT", "no batch begins with 'nosuch'"),
        (("run", "nosuch.json"), "INVALID_ARGUMENT", "No such file"),
        (("watch",), "INVALID_ARGUMENT", "wants a BATCH"),
        (("resolve", "b/k", "--failed"), "INVALID_ARGUMENT", "--reason"),
        (("approve", "last/out"), "INVALID_ARGUMENT", "nobody is there to ask"),
        (("edit", "last/sum", "--arguments", "{}"), "FAILED_PRECONDITION", "nothing to decide"),
        (("tools", "nosuch"), "NOT_FOUND", "nosuch"),
        (("status", "--principal", "\u00e9"), "INVALID_ARGUMENT", "visible ASCII"),
    ],
)
def test_what_the_command_itself_refuses_is_an_object_too(
    shared: Pair, words: tuple[str, ...], code: str, said: str
) -> None:
    shared.run([ADD, PUBLISH], "--until", "blocked")
    done = shared.greenlight(*words, "--json")
    assert done.code != 0
    (error,) = done.of("error")
    assert error["code"] == code
    assert said in error["message"]


def test_validate_only_writes_nothing(shared: Pair) -> None:
    before = len(shared.greenlight("batches", "--json", "-n", "1000").objects)
    done = shared.greenlight("submit", "-", "--validate-only", stdin=json.dumps([ADD]))
    assert (done.code, done.out) == (0, "valid: 1 proposal\n")
    assert len(shared.greenlight("batches", "--json", "-n", "1000").objects) == before


def test_what_a_tool_says_never_reaches_the_terminal(shared: Pair) -> None:
    proposals = [{"key": "a", "tool": "hostile"}, {"key": "b", "tool": "hostile_error"}]
    for words in ((), ("--json",)):
        done = shared.run(proposals, *words)
        assert done.code == ExitCode.PARTIAL
        for text in (done.out, done.err):
            assert not {"\x1b", "\x9b", "\x07", "\u202e", "\r"} & set(text)
    shown = shared.greenlight("show", "last/a").out + shared.greenlight("show", "last/b").out
    assert "\\u202egnp.exe" in shown
    assert "[bold]loud[/bold]" in shown
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(shown)


def test_ids_that_fit_nothing_or_too_much(shared: Pair) -> None:
    shared.submit([ADD])
    shared.submit([ADD])
    none = shared.greenlight("show", "ffffffff")
    assert none.code == ExitCode.USAGE
    assert "no batch begins with" in none.err
    many = shared.greenlight("show", "0")
    assert many.code == ExitCode.USAGE
    assert "more than one batch begins with '0'" in many.err
    unknown = shared.greenlight("watch", "00000000-0000-7000-8000-000000000000")
    assert unknown.code == ExitCode.REFUSED
    assert "BATCH_UNKNOWN" in unknown.err


def test_a_session_is_watched_as_one(shared: Pair) -> None:
    shared.submit([ADD], "--session", "watched")
    shared.submit([ADD, MORE], "--session", "watched")
    done = shared.greenlight("watch", "--session", "watched", "--json")
    assert done.code == 0, done.err
    assert len({event["batch_id"] for event in done.of("event")}) == 2


def test_tenants_never_meet(shared: Pair) -> None:
    batch = shared.submit([ADD], "--tenant", "other")
    assert shared.greenlight("watch", batch, "--tenant", "other").code == 0
    assert shared.greenlight("watch", batch).code == ExitCode.REFUSED
    assert batch not in shared.greenlight("batches", "-n", "1000", "--json").out


_TEMPLATE = """
format: 1
name: sums
version: "1"
parameters:
  properties:
    a: {type: integer}
    b: {type: integer}
  required: [a, b]
agents:
  data:
    proposals:
      sum:
        tool: TOOL
        arguments: {a: {$param: a}, b: {$param: b}}
"""


def test_a_template_is_checked_as_far_as_it_can_be(shared: Pair, tmp_path: Path) -> None:
    file = tmp_path / "sums.yaml"
    file.write_text(_TEMPLATE.replace("TOOL", "add"))
    without = shared.greenlight("template", "check", str(file))
    assert without.code == ExitCode.USAGE
    for said in ('"a" is a required property', '"b" is a required property', "reads as a template", "--param NAME"):
        assert said in without.err
    done = shared.greenlight("template", "check", str(file), "-p", "a=1", "-p", "b=2")
    assert (done.code, done.out) == (0, f"{file} is valid: 1 proposal of data\n")
    wrong = shared.greenlight("template", "check", str(file), "-p", "a=1", "-p", "b=two")
    assert wrong.code == ExitCode.USAGE
    assert "parameters_json/b" in wrong.err
    file.write_text(_TEMPLATE.replace("TOOL", "adds"))
    unknown = shared.greenlight("template", "check", str(file))
    assert unknown.code == ExitCode.REFUSED
    assert "agents.data.proposals.sum.tool: no tool 'adds'" in unknown.err
    assert '"a" is a required property' in unknown.err
