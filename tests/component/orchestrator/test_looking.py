"""Reads: batches in every view, proposals, the inbox, tools, executors, the server; pages and their tokens."""

import asyncio
import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from shared.runtime.version import service_version
from tests.support.gates import GATES
from tests.support.refusals import refusal
from tests.support.services import Services, call, services, state_of


async def test_a_batch_in_every_view(pair: Services):
    batch_id = (await pair.run(call("echo", "a", {"value": 1}), call("note", "b"))).batch.batch_id
    basic = await pair.stub.GetBatch(pb.GetBatchRequest(batch_id=batch_id))
    answers = await pair.stub.GetBatch(pb.GetBatchRequest(batch_id=batch_id, view=batch_pb2.BATCH_VIEW_ANSWERS))
    full = await pair.stub.GetBatch(pb.GetBatchRequest(batch_id=batch_id, view=batch_pb2.BATCH_VIEW_FULL))
    assert basic.batch == answers.batch == full.batch
    assert (len(basic.answers), len(basic.proposals)) == (0, 0)
    assert [(answer.key, answer.result_json) for answer in answers.answers] == [("a", "1"), ("b", "")]
    assert [proposal.proposed_arguments_json for proposal in full.proposals] == ['{"value":1}', '{"text":""}']
    refused = await refusal(pair.stub.GetBatch(pb.GetBatchRequest(batch_id=batch_id, view=9)))  # type: ignore[arg-type]
    assert list(refused.fields) == ["view"]


async def test_agents_and_their_status(pair: Services):
    held = await pair.submit(
        call("echo", "a", agent="done"),
        call("failing", "b", agent="failed"),
        call("wait", "c", {"gate": "gate"}, agent="busy"),
        call("note", "d", agent="waiting"),
    )
    await pair.until_state(held.batch_id, "c", proposal_pb2.PROPOSAL_STATE_RUNNING)
    await pair.until_state(held.batch_id, "a", proposal_pb2.PROPOSAL_STATE_SUCCEEDED)
    await pair.until_state(held.batch_id, "b", proposal_pb2.PROPOSAL_STATE_FAILED)
    batch = (await pair.stub.GetBatch(pb.GetBatchRequest(batch_id=held.batch_id))).batch
    name = batch_pb2.AgentStatus.Name
    assert [(a.name, name(a.status).removeprefix("AGENT_STATUS_"), a.done, a.total) for a in batch.agents] == [
        ("done", "COMPLETE", 1, 1),
        ("failed", "ERROR", 1, 1),
        ("busy", "RUNNING", 0, 1),
        ("waiting", "IDLE", 0, 1),
    ]
    assert not batch.HasField("blocked_on")
    GATES.open("gate")
    blocked = (await pair.summary(held.batch_id)).batch
    assert (state_of(blocked), blocked.blocked_on.decisions) == ("BLOCKED", 1)


async def test_everything_of_a_proposal(pair: Services):
    spec = call("flaky", "a", {"name": "x"}, agent="red", title="A title", rationale="why", labels={"k": "v"})
    batch_id = (await pair.run(spec, session_id="talk")).batch.batch_id
    proposal = await pair.proposal(batch_id, "a")
    assert (proposal.proposal_id, proposal.session_id, proposal.ordinal) == (f"{batch_id}/a", "talk", 1)
    assert (proposal.title, proposal.rationale, dict(proposal.labels)) == ("A title", "why", {"k": "v"})
    assert (proposal.effect, proposal.tier) == (tool_pb2.EFFECT_READ, tool_pb2.TIER_AUTO)
    assert proposal.digest == proposal.bound_digest == proposal.proposed_digest
    assert len(proposal.idempotency_key) == 64
    first, second = proposal.attempts
    assert first.timing.HasField("tool")
    assert second.timing.HasField("wire")
    assert second.start_time.ToNanoseconds() > first.start_time.ToNanoseconds() > 0
    assert proposal.principal == "user:anonymous"
    for name in (f"{batch_id}/z", "x/a", "", "/", "a/b/c"):
        refused = await refusal(pair.stub.GetProposal(pb.GetProposalRequest(proposal_id=name)))
        assert refused.short == ("NOT_FOUND", "PROPOSAL_UNKNOWN")


async def test_batches_page_by_page_newest_first(pair: Services):
    made = [(await pair.run(call("echo"), session_id="talk", labels={"n": str(n % 2)})).batch for n in range(5)]
    await pair.submit(call("note"), session_id="other")
    seen: list[str] = []
    token = ""
    while True:
        request = pb.ListBatchesRequest(session_id="talk", page_size=2, page_token=token)
        answer = await pair.stub.ListBatches(request)
        seen += [batch.batch_id for batch in answer.batches]
        token = answer.next_page_token
        if not token:
            break
    assert seen == [batch.batch_id for batch in reversed(made)]
    assert len(await pair.batches(labels={"n": "1"})) == 2
    assert len(await pair.batches(states=[batch_pb2.BATCH_STATE_BLOCKED])) == 1
    assert [batch.batch_id for batch in await pair.batches(batch_id_prefix=made[0].batch_id)] == [made[0].batch_id]
    assert await pair.batches(batch_id_prefix="%") == []


async def _inbox(pair: Services, **fields: Any) -> list[str]:
    """The keys of what ListProposals gives."""
    answer = await pair.stub.ListProposals(pb.ListProposalsRequest(**fields))
    return [proposal.key for proposal in answer.proposals]


async def test_the_inbox(pair: Services):
    held = await pair.submit(call("note", "a", agent="red"), call("publish", "b"), call("echo", "c"), session_id="talk")
    await pair.summary(held.batch_id)
    assert await _inbox(pair) == ["a", "b"]
    assert await _inbox(pair, tiers=[tool_pb2.TIER_HARD]) == ["b"]
    assert await _inbox(pair, agent="red", session_id="talk") == ["a"]
    assert await _inbox(pair, tool="publish") == ["b"]
    assert await _inbox(pair, states=[proposal_pb2.PROPOSAL_STATE_SUCCEEDED], batch_id=held.batch_id) == ["c"]
    assert await _inbox(pair, session_id="none") == []
    first = await pair.stub.ListProposals(pb.ListProposalsRequest(page_size=1))
    assert await _inbox(pair, page_size=1, page_token=first.next_page_token) == ["b"]


async def test_proposals_by_their_own_labels(pair: Services):
    both, red = {"team": "red", "month": "may"}, {"team": "red"}
    held = await pair.submit(
        *(call("note", key, labels=labels) for key, labels in (("a", both), ("b", red), ("c", {"team": "blue"}))),
        call("note", "d"),
        call("echo", "e", labels=red),
        labels={"team": "red", "of": "the batch"},
    )
    await pair.summary(held.batch_id)
    assert await _inbox(pair, labels=red) == ["a", "b"]
    assert await _inbox(pair, labels=both) == ["a"], "all of them"
    assert await _inbox(pair, labels={"team": ""}) == await _inbox(pair, labels={"of": "the batch"}) == []
    ended = [proposal_pb2.PROPOSAL_STATE_SUCCEEDED]
    assert await _inbox(pair, labels=red, states=ended) == ["e"]
    first = await pair.stub.ListProposals(pb.ListProposalsRequest(labels=red, page_size=1))
    assert await _inbox(pair, labels=red, page_size=1, page_token=first.next_page_token) == ["b"]


async def test_tools_and_executors(pair: Services):
    answer = await pair.stub.ListTools(pb.ListToolsRequest())
    names = [tool.descriptor.name for tool in answer.tools]
    assert names == sorted(names)
    assert "publish" in names
    (tool,) = (await pair.stub.ListTools(pb.ListToolsRequest(tool="typed"))).tools
    assert tool.executors == 1
    assert '"count"' in tool.descriptor.arguments_schema_json
    (executor,) = (await pair.stub.ListExecutors(pb.ListExecutorsRequest())).executors
    assert executor.connected
    assert "echo@1" in executor.tools
    assert executor.capacity > 0


async def _stuck(running: Services, count: int) -> pb.Executor:
    """The one executor, once that many of its threads are stuck."""
    while True:
        (executor,) = (await running.stub.ListExecutors(pb.ListExecutorsRequest())).executors
        if executor.stuck_threads == count:
            return executor
        await asyncio.sleep(0.01)


async def test_an_executor_whose_thread_is_stuck(tmp_path: Path):
    box, threaded = "tests.support.toolbox", "wait_on_thread"
    async with services(tmp_path, toolboxes=(box,), known=(threaded,)) as running:
        assert (await _stuck(running, 0)).version == service_version()
        began = time.time_ns()
        proposal = call(threaded, "a", {"gate": "gate", "obey": False})
        proposal.timeout.FromMilliseconds(50)
        proposal.retry_policy.max_attempts = 1
        summary = await running.run(proposal)
        assert summary.answers[0].failure.reason == "TOOL_TIMEOUT"
        executor = await _stuck(running, 1)
        assert began <= executor.last_seen_time.ToNanoseconds() <= time.time_ns()
        GATES.open("gate")
        await _stuck(running, 0)


async def test_the_server_tells_of_itself(pair: Services):
    answer = await pair.stub.GetServerInfo(pb.GetServerInfoRequest())
    assert (answer.limits.max_response_bytes, answer.limits.max_request_bytes) == (3 << 20, 16 << 20)
    assert answer.limits.max_proposals_per_batch == 10_000
    assert answer.defaults.soft_window.seconds == 600
    assert (answer.executors_connected, answer.live_batches, answer.self_approval) == (1, 0, True)
    assert list(answer.problems) == []


LISTS = [
    ("ListBatches", pb.ListBatchesRequest),
    ("ListProposals", pb.ListProposalsRequest),
    ("ListTools", pb.ListToolsRequest),
    ("ListExecutors", pb.ListExecutorsRequest),
    ("ListTemplates", pb.ListTemplatesRequest),
    ("ListSessions", pb.ListSessionsRequest),
]


@pytest.mark.parametrize(("method", "request_class"), LISTS)
async def test_pages_that_are_wrong(pair: Services, method: str, request_class: Any):
    ask = getattr(pair.stub, method)
    assert (await refusal(ask(request_class(page_size=-1)))).short == ("INVALID_ARGUMENT", "PAGE_SIZE_INVALID")
    name = method.removeprefix("List").lower()
    forged = [
        [name],
        [name, "x"],
        [name, -1],
        [name, 1 << 63],
        [name, -1, -1, -1],
        [name, -1, "x"],
        [name, 1, 1],
        [1],
        [],
    ]
    tokens = [base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=") for values in forged]
    for token in (*tokens, "nonsense", "!", "e30", "x" * 5000):
        refused = await refusal(ask(request_class(page_token=token)))
        assert refused.short == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")
        assert list(refused.fields) == ["page_token"]
    await ask(request_class(page_size=2**31 - 1))


@pytest.mark.parametrize(
    ("ask", "values"),
    [
        (lambda stub, token: stub.ListBatches(pb.ListBatchesRequest(page_token=token)), ["batches", 7]),
        (lambda stub, token: stub.ListProposals(pb.ListProposalsRequest(page_token=token)), ["proposals", 1, 7, 0]),
    ],
)
async def test_a_token_that_holds_a_row_number(pair: Services, ask: Any, values: list[Any]):
    """As those of earlier versions did."""
    token = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    assert (await refusal(ask(pair.stub, token))).short == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")


async def test_a_token_of_another_list(pair: Services):
    for number in range(2):
        await pair.run(call("echo"), session_id=f"s{number}")
    tokens = {
        "ListBatches": (await pair.stub.ListBatches(pb.ListBatchesRequest(page_size=1))).next_page_token,
        "ListTools": (await pair.stub.ListTools(pb.ListToolsRequest(page_size=1))).next_page_token,
        "ListSessions": (await pair.stub.ListSessions(pb.ListSessionsRequest(page_size=1))).next_page_token,
    }
    assert all(tokens.values())
    for method, request_class in LISTS:
        for name, token in tokens.items():
            if name != method:
                refused = await refusal(getattr(pair.stub, method)(request_class(page_token=token)))
                assert refused.short == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")


async def test_states_that_nobody_knows(pair: Services):
    for answer in (
        pair.stub.ListBatches(pb.ListBatchesRequest(states=[77])),  # type: ignore[list-item]
        pair.stub.ListProposals(pb.ListProposalsRequest(states=[0])),  # type: ignore[list-item]
        pair.stub.ListProposals(pb.ListProposalsRequest(tiers=[77])),  # type: ignore[list-item]
    ):
        refused = await refusal(answer)
        assert refused.short == ("INVALID_ARGUMENT", "REQUEST_INVALID")
        assert list(refused.fields) in (["states[0]"], ["tiers[0]"])


async def test_more_labels_than_anything_has(pair: Services):
    labels = {f"k{number}": "v" for number in range(33)}
    for answer in (
        pair.stub.ListBatches(pb.ListBatchesRequest(labels=labels)),
        pair.stub.ListProposals(pb.ListProposalsRequest(labels=labels)),
    ):
        refused = await refusal(answer)
        assert refused.short == ("INVALID_ARGUMENT", "REQUEST_INVALID")
        assert list(refused.fields) == ["labels"]


async def test_waiting_says_why(pair: Services):
    held = await pair.submit(
        call("wait", "a", {"gate": "gate"}),
        call("echo", "b", after=["a"]),
        call("wait", "c", {"gate": "gate"}),
        max_in_flight=1,
    )
    await pair.until_state(held.batch_id, "a", proposal_pb2.PROPOSAL_STATE_RUNNING)
    reasons = {key: (await pair.proposal(held.batch_id, key)).waiting for key in "abc"}
    assert reasons["a"].reason == proposal_pb2.WAITING_REASON_UNSPECIFIED
    assert (reasons["b"].reason, list(reasons["b"].keys)) == (proposal_pb2.WAITING_REASON_DEPENDENCIES, ["a"])
    assert reasons["c"].reason == proposal_pb2.WAITING_REASON_CAPACITY
