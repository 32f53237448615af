"""A call whose outcome nobody knows: shown, waited for, resolved."""

import re
import socket
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from greenlight_client.cli.exit_codes import ExitCode
from tests.bench.processes import Process, python, running, waiting
from tests.e2e.pair import Pair, environment
from tests.e2e.test_terminal import terminal

_TOOLS = """
import asyncio
from pathlib import Path
from greenlight_tool import tool

@tool(effect="NON_IDEMPOTENT", tier="SOFT")
async def pay(amount: int, gate: str) -> str:
    while not await asyncio.to_thread(Path(gate).exists):
        await asyncio.sleep(0.05)
    return f"paid {amount}"
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _executor(folder: Path, port: int, name: str) -> AbstractContextManager[Process]:
    toolbox = folder / "tools.py"
    toolbox.write_text(_TOOLS)
    command = python("-m", "executor_svc", "--listen", f"127.0.0.1:{port}", "--toolbox", str(toolbox))
    command += ["--data", str(folder / name)]
    return running(name, command, folder, environment())


def _lost(pair: Pair, port: int, gate: Path) -> str:
    """Runs one until its executor is killed in the middle, and another has come; returns the proposal's id."""
    payment = {"key": "pay", "tool": "pay", "arguments": {"amount": 3, "gate": str(gate)}}
    with _executor(pair.folder, port, "first") as first:
        first.ready()
        for _ in waiting("the executor", timeout=15):
            if "connected" in pair.greenlight("executors").out:
                break
        batch = pair.submit([payment], "--session", "money")
        assert pair.greenlight("confirm", "money", "--all", "--wait", "300ms").code == ExitCode.UNFINISHED
        first.popen.kill()
        first.popen.wait()
    return f"{batch}/pay"


@contextmanager
def _unknown(folder: Path) -> Generator[tuple[Pair, str, Path]]:
    """A proposal whose outcome is unknown, and the gate that it would wait for if it ran again."""
    port, gate = _free_port(), folder / "gate"
    command = python("-m", "orchestrator_svc", "--listen", "127.0.0.1:0", "--data", str(folder / "data"))
    command += ["--executors", f"127.0.0.1:{port}"]
    with running("orchestrator", command, folder, environment(GREENLIGHT_REATTACH_WINDOW="0.5")) as orchestrator:
        pair = Pair(orchestrator, {"orchestrator": orchestrator.ready()["address"]}, folder)
        proposal = _lost(pair, port, gate)
        with _executor(folder, port, "second") as second:
            second.ready()
            blocked = pair.greenlight("watch", proposal.partition("/")[0], "--until", "blocked")
            assert blocked.code == ExitCode.AWAITING_DECISION, blocked.err
            assert f"greenlight resolve {proposal}" in blocked.err
            yield pair, proposal, gate


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--succeeded", "--result", '"paid 3, says the bank"'), ExitCode.SUCCEEDED),
        (("--failed",), ExitCode.FAILED),
        (("--run-again", "--yes"), ExitCode.SUCCEEDED),
    ],
)
def test_resolved_by_somebody_who_looked(tmp_path: Path, words: tuple[str, ...], code: ExitCode) -> None:
    with _unknown(tmp_path) as (pair, proposal, gate):
        gate.touch()
        done = pair.greenlight("resolve", proposal, *words, "--reason", "asked the bank")
        assert done.out.startswith(f"resolved {proposal}"), done.err
        assert ("it may still be running" in done.err) == ("--run-again" in words)
        assert pair.greenlight("watch", proposal.partition("/")[0]).code == code
        assert "asked the bank" in pair.greenlight("show", proposal, "--json").out


def test_asked_for_in_a_terminal(tmp_path: Path) -> None:
    with _unknown(tmp_path) as (pair, proposal, _):
        nobody = pair.greenlight("resolve", proposal)
        assert nobody.code == ExitCode.USAGE
        assert "--succeeded, --failed, --run-again, and --reason" in nobody.err
        half = pair.greenlight("resolve", proposal, "--failed")
        assert half.err == "greenlight: resolve wants --reason TEXT: who looked where\n"
        known = pair.greenlight("unknown")
        assert known.out.startswith(f"{proposal[:13]}/pay  pay 1: EXECUTOR_LOST"), known.err
        assert "attempt 1: sent" in known.out
        assert "it may still be running" in known.out
        assert f"greenlight resolve {proposal[:13]}/pay" in known.err
        waiting = pair.greenlight("pending")
        short = f"{proposal[:13]}/pay"
        assert waiting.out.startswith(f"{short}  outcome unknown: EXECUTOR_LOST"), waiting.err
        assert f"greenlight resolve {short}" in waiting.err
        batch = pair.greenlight("show", proposal.partition("/")[0])
        assert "EXECUTOR_LOST" in batch.out
        assert f"greenlight resolve {proposal}" in batch.err
        server = pair.ready["orchestrator"]
        with terminal(tmp_path, ["resolve", proposal], GREENLIGHT_SERVER=server) as screen:
            screen.wait_for("[s/f/r]")
            assert '"amount": 3' in screen.text
            assert re.search(r"attempt 1: sent \d.* UTC to executor \w+-\w+, ended \d.* UTC", screen.text)
            screen.type("\n")
            assert screen.end() == ExitCode.AWAITING_DECISION
        with terminal(tmp_path, ["resolve", proposal], GREENLIGHT_SERVER=server) as screen:
            screen.wait_for("[s/f/r]")
            screen.type("s\n")
            screen.wait_for("What did it return?")
            screen.type('"paid 3"\n')
            screen.wait_for("Who looked, and where?")
            screen.type("asked the bank\n")
            assert screen.end() == 0
        assert '"paid 3"' in pair.greenlight("watch", proposal.partition("/")[0]).out
        with terminal(tmp_path, ["resolve", proposal], GREENLIGHT_SERVER=server) as screen:
            assert screen.end() == ExitCode.USAGE
            assert "there is nothing to resolve" in screen.text
