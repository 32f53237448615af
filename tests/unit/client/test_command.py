"""The command line itself: its tree, its document, and what it says without a server."""

import ast
import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from greenlight_client import GreenlightClient
from greenlight_client.cli.app import build
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.terminal import Settings, Terminal

_DOCUMENT = Path(__file__).parents[3] / "docs" / "cli.md"
_COMMANDS = [
    "up",
    "run",
    "submit",
    "watch",
    "pending",
    "approve",
    "reject",
    "edit",
    "confirm",
    "resolve",
    "unknown",
    "cancel",
    "retry",
    "resume",
    "prune",
    "batches",
    "show",
    "tools",
    "executors",
    "status",
    "template",
    "trace",
    "demo",
]


def test_every_command_is_there_and_in_the_document() -> None:
    command = get_command(build())
    assert sorted(command.commands) == sorted(_COMMANDS)  # type: ignore[attr-defined]
    documented = re.findall(r"`([a-z]+)[ `]", "".join(_table("| command |")))
    assert set(documented) >= set(_COMMANDS)


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(build(), [name, "--help"])
    assert result.exit_code == 0
    assert "--help" in result.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "t", "--param", "x"], ExitCode.USAGE, "--param wants name=value"),
        (["run", "none.json"], ExitCode.USAGE, "No such file"),
        (["run", "t", "--wait", "soon"], ExitCode.USAGE, "is no duration"),
        (["run"], ExitCode.USAGE, "Missing argument"),
        (["watch"], ExitCode.USAGE, "wants a BATCH"),
        (["resolve", "b/k", "--failed"], ExitCode.USAGE, "--reason"),
        (["resolve", "b/k", "--reason", "x"], ExitCode.USAGE, "one of --succeeded"),
        (["resolve", "b/k", "--failed", "--reason", "x", "--result", "3"], ExitCode.USAGE, "--result goes with"),
        (["run", "t", "--detach", "--wait", "5s"], ExitCode.USAGE, "--wait goes without it"),
        (["run", "t", "--max-in-flight", "99999999999"], ExitCode.USAGE, "max-in-flight"),
        (["approve", "b/k", "c/k", "--digest", "sha256:00"], ExitCode.USAGE, "one proposal"),
        (["batches", "--tenant", "täglich"], ExitCode.USAGE, "tenant must be visible ASCII"),
        (["--server", "localhost", "status"], ExitCode.USAGE, "server must be HOST:PORT"),
        (["status", "--server", "127.0.0.1:99999"], ExitCode.USAGE, "server must be HOST:PORT"),
        (["status", "--server", ""], ExitCode.USAGE, "server must be HOST:PORT"),
        (["--server", "", "status"], ExitCode.USAGE, "server must be HOST:PORT"),
        (["up", "--orchestrator", "here"], ExitCode.USAGE, "HOST:PORT"),
        (["nonsense"], ExitCode.USAGE, "No such command"),
    ],
)
def test_usage(words: list[str], code: ExitCode, said: str) -> None:
    result = CliRunner().invoke(build(), words)
    assert result.exit_code == code
    assert said in result.output


def test_a_file_that_nests_too_deeply_is_wrong_also_in_json(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    result = CliRunner().invoke(build(), ["submit", str(path), "--json"])
    assert result.exit_code == ExitCode.USAGE
    assert '"message":' in result.stdout
    assert "not JSON: nested deeper than 64" in result.stdout


@pytest.mark.parametrize(
    "words", [["--server", "127.0.0.1:1", "batches"], ["batches", "--server", "127.0.0.1:1"], ["run", "t"]]
)
def test_nobody_there(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_SERVER", "127.0.0.1:1")
    result = CliRunner().invoke(build(), words)
    assert result.exit_code == ExitCode.UNREACHABLE
    assert "no orchestrator answers at 127.0.0.1:1" in result.output
    assert "greenlight up" in result.output


def test_what_failed_means_where_an_outcome_is_unknown_is_one_thing() -> None:
    help_text = " ".join(CliRunner().invoke(build(), ["resolve", "--help"], env={"COLUMNS": "200"}).output.split())
    assert "It had no effect. A retry sends it again." in help_text
    documents = _DOCUMENT.parent
    assert "`--failed` means that it had no effect" in _DOCUMENT.read_text(encoding="utf-8")
    assert "| a person said that it had no effect | RetryProposals" in (documents / "errors.md").read_text("utf-8")
    proto = documents.parent / "proto" / "greenlight" / "orchestrator" / "v1" / "event.proto"
    assert "// It had no effect: it is FAILED, and a retry sends it again." in proto.read_text("utf-8")


def test_services_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenlight_client.cli.services.find_spec", lambda name: None)
    result = CliRunner().invoke(build(), ["up"])
    assert result.exit_code == ExitCode.USAGE
    assert "pip install greenlight-svc" in result.output


def test_a_demo_without_its_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenlight_client.cli.commands.demonstrating.example_folder", lambda: None)
    result = CliRunner().invoke(build(), ["demo"])
    assert result.exit_code == ExitCode.USAGE
    assert "make demo" in result.output


def test_a_command_line_to_paste_runs_nothing_else() -> None:
    line = Terminal(Settings(server="here:1", tenant="t")).again("watch", "--session", "$(reboot); x y")
    assert line == "greenlight watch --session '$(reboot); x y' --server here:1 --tenant t"


def test_the_documents_python_is_python() -> None:
    blocks = re.findall(r"```python\n(.*?)```", _DOCUMENT.with_name("client.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) > 4
    for block in blocks:
        compile(block, "docs/client.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names = set(re.findall(r"client\.([a-z_]+)\(", "".join(blocks)))
    assert [name for name in names if not hasattr(GreenlightClient, name)] == []


def test_completion() -> None:
    env = {"_GREENLIGHT_COMPLETE": "complete_bash", "COMP_WORDS": "greenlight wa", "COMP_CWORD": "1"}
    assert CliRunner().invoke(build(), [], env=env, prog_name="greenlight").output.strip() == "watch"


def test_the_version() -> None:
    assert CliRunner().invoke(build(), ["--version"]).output.startswith("greenlight ")


def _table(head: str) -> list[str]:
    lines = _DOCUMENT.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(head))
    rows: list[str] = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(line)
    return rows
