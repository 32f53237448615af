"""The services as processes, on either store: an orchestrator, one that stands by, and the ledger's executor."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc.aio

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from greenlight.tool.v1 import tool_pb2
from tests.bench.processes import Process, environment, python, running, waiting

_NOTHING: Mapping[str, str] = MappingProxyType({})


def executor(
    folder: Path,
    name: str = "executor",
    *,
    grace: float = 0,
    listen: str = "127.0.0.1:0",
    env: Mapping[str, str] = _NOTHING,
    program: str = "executor_svc",
) -> AbstractContextManager[Process]:
    """Its journal stays below `folder`, for the next start of that name. `env`: what is in its environment besides."""
    command = python("-m", program, "--listen", listen, "--data", str(folder / f"{name}-data"))
    command += ["--toolbox", "tests.support.toolboxes.ledger", "--drain-grace", str(grace)]
    return running(name, command, folder / name, environment(**env))


def orchestrator(
    folder: Path,
    name: str,
    executors: str,
    *,
    store: str = "",
    standby: bool = False,
    grace: float = 0,
    lease: float = 5,
    listen: str = "127.0.0.1:0",
    env: Mapping[str, str] = _NOTHING,
    program: str = "orchestrator_svc",
) -> AbstractContextManager[Process]:
    """`store`: the address of a PostgreSQL database; none: a file below `folder`. `grace`, `lease`: in s. `env`: what
    is in its environment besides."""
    command = python("-m", program, "--listen", listen, "--executors", executors)
    command += ["--data", str(folder / "data"), "--drain-grace", str(grace)]
    if standby:
        command.append("--standby")
    settings = {"GREENLIGHT_STORE": store, "GREENLIGHT_LEASE_PERIOD": str(lease)}
    return running(name, command, folder / name, environment(**settings, **env))


def said(process: Process, event: str) -> dict[str, Any]:
    """The line on its stdout that says so; waits for it."""
    for _ in waiting(f"{process.name} to say {event}", process):
        for line in process.out.read_text().splitlines():
            found = json.loads(line)
            if found["event"] == event:
                return found
    raise AssertionError("unreachable")


async def until_stopped(process: Process) -> None:
    """Until it stands still (SIGSTOP)."""
    while not _stands_still(process):
        process.check()
        await asyncio.sleep(0.001)


def _stands_still(process: Process) -> bool:
    return os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None


@asynccontextmanager
async def stub(address: str) -> AsyncGenerator[Any]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield OrchestratorServiceStub(channel)


async def until_known(stub: Any, *tools: str) -> None:
    while True:
        answer = await stub.ListTools(pb.ListToolsRequest(), wait_for_ready=True)
        if {*tools} <= {tool.descriptor.name for tool in answer.tools if tool.executors}:
            return
        await asyncio.sleep(0.01)


def call(
    tool: str,
    key: str,
    folder: Path,
    *after: str,
    tier: tool_pb2.Tier.ValueType = tool_pb2.TIER_UNSPECIFIED,
    more: Mapping[str, Any] = MappingProxyType({}),
    **fields: Any,
) -> proposal_pb2.ProposalSpec:
    """`more`: arguments besides the folder."""
    dependencies = [proposal_pb2.Dependency(key=name) for name in after]
    arguments = json.dumps({"folder": str(folder), **more})
    return proposal_pb2.ProposalSpec(
        tool=tool, key=key, arguments_json=arguments, depends_on=dependencies, tier=tier, **fields
    )


async def submit(stub: Any, *calls: proposal_pb2.ProposalSpec, **fields: Any) -> str:
    """The batch id."""
    spec = batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=calls), **fields)
    return (await stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec))).batch.batch_id


async def approve(stub: Any, batch_id: str, key: str) -> None:
    proposal = (await stub.GetProposal(pb.GetProposalRequest(proposal_id=f"{batch_id}/{key}"))).proposal
    request = pb.DecideProposalsRequest()
    request.decisions.add(proposal_id=f"{batch_id}/{key}", verdict=proposal_pb2.VERDICT_APPROVE, digest=proposal.digest)
    (answer,) = (await stub.DecideProposals(request)).answers
    assert answer.status.code == 0, answer


async def finished(stub: Any, batch_id: str) -> dict[str, str]:
    """Key -> state, once the batch is finished."""
    answer = await stub.WaitBatch(pb.WaitBatchRequest(batch_id=batch_id, until=pb.UNTIL_FINISHED), wait_for_ready=True)
    name = proposal_pb2.ProposalState.Name
    return {one.key: name(one.state).removeprefix("PROPOSAL_STATE_") for one in answer.summary.answers}


def ledger(folder: Path) -> list[tuple[str, str]]:
    """(key, attempt) of every start of a tool."""
    path = folder / "ledger"
    lines: Sequence[str] = path.read_text().splitlines() if path.exists() else ()
    return [(line.split()[0], line.split()[1]) for line in lines]


async def until_started(folder: Path, *wanted: tuple[str, str]) -> None:
    while not {*wanted} <= {*ledger(folder)}:  # noqa: ASYNC110 - a file
        await asyncio.sleep(0.001)


def open_gates(folder: Path, *keys: str) -> None:
    for key in keys:
        (folder / f"{key}.gate").touch()
