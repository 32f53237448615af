"""A call whose outcome nobody knows: shown, waited for, resolved."""

import socket
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from greenlight_client.cli.exit_codes import ExitCode
from tests.bench.processes import Process, python, running, waiting
from tests.e2e.pair import Pair, environment

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


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--succeeded", "--result", '"paid 3, says the bank"'), ExitCode.SUCCEEDED),
        (("--failed",), ExitCode.FAILED),
        (("--run-again", "--yes"), ExitCode.SUCCEEDED),
    ],
)
def test_resolved_by_somebody_who_looked(tmp_path: Path, words: tuple[str, ...], code: ExitCode) -> None:
    port, gate = _free_port(), tmp_path / "gate"
    command = python("-m", "orchestrator_svc", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"))
    command += ["--executors", f"127.0.0.1:{port}"]
    with running("orchestrator", command, tmp_path, environment(GREENLIGHT_REATTACH_WINDOW="0.5")) as orchestrator:
        pair = Pair(orchestrator, {"orchestrator": orchestrator.ready()["address"]}, tmp_path)
        proposal = _lost(pair, port, gate)
        batch = proposal.partition("/")[0]
        with _executor(tmp_path, port, "second") as second:
            second.ready()
            blocked = pair.greenlight("watch", batch, "--until", "blocked")
            assert blocked.code == ExitCode.AWAITING_DECISION, blocked.err
            assert f"greenlight resolve {proposal}" in blocked.err
            gate.touch()
            done = pair.greenlight("resolve", proposal, *words, "--reason", "asked the bank")
            assert done.out.startswith(f"resolved {proposal}"), done.err
            assert pair.greenlight("watch", batch).code == code
        assert "asked the bank" in pair.greenlight("show", proposal, "--json").out
