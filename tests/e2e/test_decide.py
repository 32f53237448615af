"""pending, approve, reject, edit, confirm, cancel, retry, resume."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from greenlight_client.cli.exit_codes import ExitCode
from tests.e2e.pair import Pair, pair

PUBLISH: dict[str, Any] = {"key": "out", "tool": "publish", "arguments": {"text": "hello"}}
NOTE: dict[str, Any] = {"key": "memo", "tool": "note", "arguments": {"text": "keep"}}


def _digest(shared: Pair, proposal: str) -> str:
    return shared.greenlight("show", proposal, "--json").of("proposal")[0]["digest"]


def test_pending_shows_what_waits(shared: Pair) -> None:
    batch = shared.submit([PUBLISH], "--session", "pending")
    done = shared.greenlight("pending", "--session", "pending")
    assert f"{batch[:13]}/out" in done.out
    assert "hard" in done.out
    assert '{"text":"hello"}' in done.out
    found = shared.greenlight("pending", "--batch", batch, "--json").of("proposal")
    assert [item["key"] for item in found] == ["out"]
    assert "nothing waits" in shared.greenlight("pending", "--session", "pending", "--tier", "soft").err


def test_approve_shows_and_approves_exactly_that(shared: Pair) -> None:
    batch = shared.submit([PUBLISH])
    proposal = f"{batch}/out"
    nobody = shared.greenlight("approve", proposal)
    assert nobody.code == ExitCode.USAGE
    assert "--digest" in nobody.err
    wrong = shared.greenlight("approve", proposal, "--digest", "sha256:" + "0" * 64)
    assert wrong.code == ExitCode.REFUSED
    assert "DIGEST_MISMATCH" in wrong.err
    done = shared.greenlight("approve", proposal, "--digest", _digest(shared, proposal))
    assert done.code == 0, done.err
    assert '"text": "hello"' in done.err
    assert done.out == f"approved {proposal}\n"
    assert shared.greenlight("watch", batch).code == 0
    late = shared.greenlight("reject", proposal)
    assert late.code == ExitCode.REFUSED
    assert "PROPOSAL_NOT_PENDING" in late.err
    assert late.err.count(proposal) == 1


def test_bound_arguments_are_what_is_shown(shared: Pair) -> None:
    proposals = [
        {"key": "first", "tool": "note", "tier": "TIER_SOFT", "arguments": {"text": "from before"}},
        {"key": "out", "tool": "publish", "arguments": {"text": {"$from": "first"}}},
    ]
    batch = shared.submit(proposals, "--session", "bound")
    early = shared.greenlight("approve", f"{batch}/out", "--yes")
    assert early.code == ExitCode.REFUSED
    assert "NOT_BOUND" in early.err
    assert shared.greenlight("confirm", "bound", "--yes", "--until", "blocked").code == 0
    done = shared.greenlight("approve", f"{batch}/out", "--yes")
    assert '"text": "from before"' in done.err
    assert done.code == 0
    assert shared.greenlight("watch", batch).code == 0


def test_reject_says_why_to_the_model(shared: Pair) -> None:
    batch = shared.submit([PUBLISH])
    assert shared.greenlight("reject", f"{batch}/o", "-m", "not today").code == 0
    done = shared.greenlight("watch", batch)
    assert done.code == ExitCode.REJECTED
    assert "not today" in done.out


def test_edit_runs_other_arguments(shared: Pair) -> None:
    batch = shared.submit([PUBLISH])
    same = shared.greenlight("edit", f"{batch}/out", "--arguments", '{"text":"hello"}', "--yes")
    assert same.code == ExitCode.AWAITING_DECISION
    done = shared.greenlight("edit", f"{batch}/out", "--arguments", '{"text": "hello, world"}', "--yes")
    assert done.code == 0, done.err
    assert '+  "text": "hello, world"' in done.err
    assert '"hello, world"' in shared.greenlight("watch", batch).out
    shown = shared.greenlight("show", f"{batch}/out").out
    assert "arguments before they were edited" in shown
    assert "approve by user:anonymous (edited)" in shown


def test_the_same_in_another_order_is_no_change(shared: Pair) -> None:
    batch = shared.submit([{"key": "sum", "tool": "add", "tier": "TIER_HARD", "arguments": {"a": 100, "b": 2}}])
    same = shared.greenlight("edit", f"{batch}/sum", "--arguments", '{"b":\n 2, "a": 1e2}', "--yes")
    assert same.code == ExitCode.AWAITING_DECISION
    assert "nothing changed" in same.err
    broken = shared.greenlight("edit", f"{batch}/sum", "--arguments", '{"a": 1, "a": 2}', "--yes")
    assert broken.code == ExitCode.USAGE
    assert "'a' is there twice" in broken.err
    done = shared.greenlight("edit", f"{batch}/sum", "--arguments", '{"b": 2, "a": 3}', "--yes")
    changed = [line for line in done.err.splitlines() if line.startswith(("+ ", "- "))]
    assert changed == ['-  "a": 100,', '+  "a": 3,']
    late = shared.greenlight("edit", f"{batch}/sum", "--arguments", "{}", "--yes")
    assert late.code == ExitCode.REFUSED
    assert "there is nothing to decide" in late.err


def test_an_edit_shows_the_defaults_that_run(shared: Pair) -> None:
    batch = shared.submit([{"key": "b", "tool": "broken", "tier": "TIER_HARD", "arguments": {"unless": "mended"}}])
    done = shared.greenlight("edit", f"{batch}/b", "--arguments", "{}", "--yes")
    changed = [line for line in done.err.splitlines() if line.startswith(("+ ", "- "))]
    assert changed == ['-  "unless": "mended"', '+  "unless": ""']
    (ran,) = shared.greenlight("show", f"{batch}/b", "--json").of("proposal")
    assert ran["bound_arguments_json"] == '{"unless":""}'
    again = shared.submit([{"key": "b", "tool": "broken", "tier": "TIER_HARD"}])
    same = shared.greenlight("edit", f"{again}/b", "--arguments", "{}", "--yes")
    assert "nothing changed" in same.err


def test_arguments_that_do_not_fit_are_refused(shared: Pair) -> None:
    batch = shared.submit([PUBLISH])
    done = shared.greenlight("edit", f"{batch}/out", "--arguments", '{"text": 3}', "--yes")
    assert done.code == ExitCode.REFUSED
    assert "ARGUMENTS_INVALID" in done.err


def test_the_users_turn_confirms_what_was_shown(shared: Pair) -> None:
    batch = shared.submit([NOTE, {**NOTE, "key": "other"}, PUBLISH], "--session", "turn")
    done = shared.greenlight("confirm", "turn", "--object", f"{batch}/other=not this", "--yes")
    assert f"confirmed {batch}/memo" in done.err
    assert f"objected {batch}/other" in done.err
    assert '"text": "keep"' in done.err
    assert "hello" not in done.err
    assert done.code == ExitCode.PARTIAL
    nothing = shared.greenlight("confirm", "turn", "--all", "--json")
    assert nothing.of("confirmation")[0]["confirmed"] == []


def test_cancel_and_retry(shared: Pair, tmp_path: Path) -> None:
    batch = shared.submit([PUBLISH, {"key": "memo", "tool": "note", "arguments": {"text": "x"}}])
    assert shared.greenlight("cancel", f"{batch}/memo", "-m", "no need").out.startswith("cancelled")
    done = shared.greenlight("cancel", batch)
    assert done.out == f"cancelled 1 proposal of {batch}; the batch ended as cancelled\n"
    assert shared.greenlight("watch", batch).code == ExitCode.CANCELLED
    gate = tmp_path / "mended"
    batch = shared.submit([{"key": "bad", "tool": "broken", "arguments": {"unless": str(gate)}}])
    assert shared.greenlight("watch", batch).code == ExitCode.FAILED
    gate.touch()
    done = shared.greenlight("retry", batch, "-m", "the file is there now")
    assert done.out.startswith(f"tried again {batch}/bad")
    assert "mended" in shared.greenlight("watch", batch).out
    assert "nothing to try again" in shared.greenlight("retry", batch).err


def test_retrying_what_was_skipped_names_what_failed(shared: Pair, tmp_path: Path) -> None:
    gate = tmp_path / "mended"
    proposals = [{"key": "bad", "tool": "broken", "arguments": {"unless": str(gate)}}]
    for key, after in (("then", "bad"), ("last", "then")):
        proposals.append({"key": key, "tool": "add", "arguments": {"a": 1, "b": 2}, "dependsOn": [{"key": after}]})
    batch = shared.submit(proposals)
    assert shared.greenlight("watch", batch).code == ExitCode.FAILED
    gate.touch()
    done = shared.greenlight("retry", f"{batch}/last")
    assert done.code == ExitCode.REFUSED
    assert f"{batch}/last is SKIPPED because {batch}/bad is FAILED; retry that one" in done.err
    pasted = re.search(r": greenlight (retry .+)$", done.err, re.MULTILINE)
    assert pasted
    assert shared.greenlight(*shlex.split(pasted[1])).code == 0
    assert shared.greenlight("watch", batch).code == 0


def test_a_batch_is_resumed(shared: Pair, tmp_path: Path) -> None:
    gate = tmp_path / "mended"
    batch = shared.submit(
        [
            {"key": "bad", "tool": "broken", "arguments": {"unless": str(gate)}},
            {"key": "then", "tool": "add", "arguments": {"a": 1, "b": 2}, "dependsOn": [{"key": "bad"}]},
            PUBLISH,
        ]
    )
    assert shared.greenlight("reject", f"{batch}/out").code == 0
    assert shared.greenlight("watch", batch).code == ExitCode.FAILED
    gate.touch()
    done = shared.greenlight("resume", batch, "-m", "the file is there now")
    assert done.code == 0, done.err
    assert [line.split(" (")[0] for line in done.out.splitlines()] == [
        f"goes on: {batch}/{key}" for key in ("bad", "then")
    ]
    assert f"NOT_RETRYABLE: {batch}/out is REJECTED; it is never tried again" in done.err
    assert "2 go on, 1 stay as they are" in done.err
    assert shared.greenlight("watch", batch).code == ExitCode.PARTIAL
    over = shared.greenlight("resume", batch, "--json")
    assert over.code == ExitCode.REFUSED
    assert [answer["proposal_id"] for answer in over.of("answer")] == [f"{batch}/out"]


def test_a_batch_that_has_ended_is_not_cancelled(shared: Pair) -> None:
    shared.run([{"key": "bad", "tool": "broken"}], "--name", "over")
    batch = shared.greenlight("batches", "--json").of("batch")[0]["batch_id"]
    done = shared.greenlight("cancel", batch)
    assert done.code == ExitCode.REFUSED
    assert done.out == ""
    assert done.err == f"batch {batch} had already ended as failed: nothing was cancelled\n"


def test_resolving_what_needs_none_is_refused(shared: Pair) -> None:
    batch = shared.submit([PUBLISH])
    done = shared.greenlight("resolve", f"{batch}/out", "--failed", "--reason", "looked")
    assert done.code == ExitCode.REFUSED
    assert "NOT_RESOLVABLE" in done.err


def test_where_self_approval_is_off_a_proposer_may_not_approve(tmp_path: Path) -> None:
    with pair(tmp_path, GREENLIGHT_SELF_APPROVAL="false") as strict:
        assert strict.ready["self_approval"] is False
        batch = strict.submit([PUBLISH])
        own = strict.greenlight("approve", f"{batch}/out", "--yes")
        assert own.code == ExitCode.PERMISSION_DENIED
        assert own.out == ""
        assert f"SELF_APPROVAL: user:anonymous proposed {batch}/out and cannot approve it" in own.err
        assert [item["key"] for item in strict.greenlight("pending", "--json").of("proposal")] == ["out"]
        assert strict.greenlight("approve", f"{batch}/out", "--yes", "--principal", "user:other").code == 0
        assert strict.greenlight("watch", batch).code == 0
    assert "self_approval" not in strict.up.err.read_text()


@pytest.fixture(scope="module")
def looked_at(shared: Pair) -> Pair:
    """With a finished batch, the last one."""
    shared.run([{"key": "sum", "tool": "add", "arguments": {"a": 1, "b": 2}}])
    return shared


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("tools",), "publish"),
        (("tools", "add"), '"a"'),
        (("executors",), "connected"),
        (("status",), "1 connected"),
        (("batches",), "succeeded"),
        (("show", "last"), "submitted by"),
        (("trace", "last"), "runs"),
        (("template", "list"), "greeting"),
    ],
)
def test_looking(looked_at: Pair, words: tuple[str, ...], shown: str) -> None:
    shared = looked_at
    done = shared.greenlight(*words)
    assert done.code == 0, done.err
    assert shown in done.out
    for line in shared.greenlight(*words, "--json").objects:
        assert set(line) == {"type", line["type"]}


def test_a_template_is_shown_with_its_text(shared: Pair) -> None:
    done = shared.greenlight("template", "show", "greeting")
    assert done.code == 0, done.err
    assert done.out.startswith("greeting 3\nAdds, and keeps a word.\nparameters\n")
    parameters, _, text = done.out.partition("\nyaml\n")
    assert '"word"' in parameters
    assert "memo: {tool: note, arguments: {text: {$param: word}}}" in text
    (item,) = shared.greenlight("template", "show", "greeting@3", "--json").of("template")
    assert (item["name"], item["version"], item["proposals"]) == ("greeting", "3", 2)
    assert text == item["yaml"] + "\n"


def test_a_template_that_is_not_there(shared: Pair) -> None:
    for name, said in (("nothing", "'nothing'; there are: greeting"), ("greeting@4", "no version '4'; there are: 3")):
        done = shared.greenlight("template", "show", name)
        assert done.code == ExitCode.REFUSED
        assert done.out == ""
        assert "TEMPLATE_UNKNOWN" in done.err
        assert said in done.err
