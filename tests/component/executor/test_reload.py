"""Tools loaded anew while the executor serves."""

import sys
from pathlib import Path

import pytest

from tests.support.executor import BATCH, Peer, call, executor, result
from tests.support.gates import GATES

TOOLS = """
from contextlib import asynccontextmanager
from greenlight_tool import ToolContext, tool
from tests.support.gates import GATES

@asynccontextmanager
async def lifespan():
    yield "{name}"
    GATES.runs.append("{name} closed")

@tool(effect="READ", version="{version}")
async def which(context: ToolContext) -> str:
    GATES.open("{name} started")
    await GATES.reached("{name}")
    return context.lifespan
"""


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", list(sys.path))


def tools(peer: Peer) -> list[tuple[str, str]]:
    newest = [message.tools for message in peer.messages if message.tools][-1]
    return [(tool.name, tool.version) for tool in newest]


async def test_an_edit_brings_new_tools_and_old_calls_end_as_they_began(tmp_path: Path):
    path = tmp_path / "mine.py"
    path.write_text(TOOLS.format(name="old", version="1"))
    async with executor(path, reload=True) as exe:
        peer = await exe.connect()
        running = call("a", "which")
        await peer.send(running)
        await GATES.reached("old started")

        path.write_text(TOOLS.format(name="new", version="2"))
        await peer.until(lambda: tools(peer) == [("which", "2")])
        GATES.open("new")
        assert result(await peer.run("b", "which", version="2")) == "new"
        assert GATES.runs == []

        GATES.open("old")
        assert result(await peer.outcome(running.id)) == "old"
        assert (await peer.run("c", "which")).failure.reason == "TOOL_UNKNOWN"
    assert GATES.runs == ["old closed", "new closed"]


async def test_a_broken_edit_keeps_the_tools_and_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "mine.py"
    path.write_text(TOOLS.format(name="old", version="1"))
    GATES.open("old")
    async with executor(path, reload=True) as exe:
        peer = await exe.connect()
        path.write_text("def broken(:\n")
        while "SyntaxError" not in caplog.text:
            assert result(await peer.run(f"a{len(peer.outcomes)}", "which")) == "old"
        assert "the tools stay as they were" in caplog.text
        path.write_text(TOOLS.format(name="new", version="2"))
        await peer.until(lambda: tools(peer) == [("which", "2")])
        assert f"{BATCH}/a0/1" in peer.outcomes
