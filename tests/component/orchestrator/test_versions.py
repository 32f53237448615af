"""A proposal that names no version of its tool: it gets the highest, and keeps it."""

import asyncio
import sys
from pathlib import Path

import pytest

from executor_svc.bootstrap import serving
from executor_svc.settings import Settings
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from tests.support.services import Services, call, services

TOOL = """
@tool(effect="NON_IDEMPOTENT", name="which", version="{version}")
async def which_{number}() -> str:
    return "{version}"
"""


def write(path: Path, *versions: str) -> None:
    tools = [TOOL.format(version=version, number=number) for number, version in enumerate(versions)]
    path.write_text("from greenlight_tool import tool\n" + "".join(tools))


async def until_served(running: Services, *versions: str) -> None:
    """By some executor: these, and in this order."""
    while True:
        answer = await running.stub.ListTools(pb.ListToolsRequest(tool="which"))
        if [tool.descriptor.version for tool in answer.tools if tool.executors] == [*versions]:
            return
        await asyncio.sleep(0.01)


async def run_approved(running: Services, batch_id: str) -> str:
    """Its one proposal, approved by the digest that was shown: what it gave."""
    shown = await running.proposal(batch_id, "a")
    approval = pb.Decision(
        proposal_id=shown.proposal_id, verdict=proposal_pb2.VERDICT_APPROVE, digest=shown.bound_digest
    )
    await running.stub.DecideProposals(pb.DecideProposalsRequest(decisions=[approval]))
    return (await running.summary(batch_id)).answers[0].result_json


async def test_the_highest_is_frozen_when_it_is_submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "mine.py"
    write(path, "10", "2")
    settings = Settings(
        listen="127.0.0.1:0", toolbox=[str(path)], data=tmp_path / "executor", reload=True, drain_grace=0
    )
    async with (
        serving(settings) as executor,
        services(tmp_path, executors=[executor.address], known=("which",)) as running,
    ):
        await until_served(running, "2", "10")
        first = (await running.submit(call("which", "a"))).batch_id
        before = await running.proposal(first, "a")
        assert before.version == "10"

        write(path, "10", "2", "11")
        await until_served(running, "2", "10", "11")
        assert await running.proposal(first, "a") == before
        second = (await running.submit(call("which", "a"))).batch_id
        assert (await running.proposal(second, "a")).version == "11"
        assert [await run_approved(running, name) for name in (first, second)] == ['"10"', '"11"']
