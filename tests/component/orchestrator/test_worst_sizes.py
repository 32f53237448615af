"""What every response comes to at its worst: below 3 MiB, read by stubs with their default limits, and nothing lost."""

from pathlib import Path

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2, session_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.support.refusals import item_refusal, refusal
from tests.support.scripted_executor import ScriptedExecutor, described
from tests.support.services import Services, batch, call, services

BUDGET = 3 << 20
WIDE = "\N{SNOWMAN WITHOUT SNOW}" * 100 + "\N{DOUGHNUT}" * 28
"""As long as a name may be."""
LONG = "k" * 123


async def _read_all(pair: Services, proposal: proposal_pb2.Proposal) -> None:
    """Each field that was left out is there by itself."""
    assert proposal.omitted
    for name in proposal.omitted:
        request = pb.GetProposalRequest(proposal_id=proposal.proposal_id, read_mask=FieldMask(paths=[name]))
        answer = await pair.stub.GetProposal(request)
        assert answer.ByteSize() <= BUDGET
        assert not answer.proposal.omitted
        assert [field.name for field, _ in answer.proposal.ListFields()] in (
            ["proposal_id", name],
            [name, "proposal_id"],
        )
        proposal.MergeFrom(answer.proposal)


async def test_a_proposal_with_all_that_one_may_have(pair: Services):
    size, ballast = (2 << 20) - 2, "b" * 250_000
    references = [{"$from": "source"}, ballast]
    summary = await pair.run(
        call("sized", "source", {"size": 790_000}), call("large", "all", {"size": size, "ballast": references})
    )
    batch_id = summary.batch.batch_id
    answer = await pair.stub.GetProposal(pb.GetProposalRequest(proposal_id=f"{batch_id}/all"))
    assert answer.ByteSize() <= BUDGET
    proposal = answer.proposal
    assert len(proposal.result_json) == 2 << 20
    assert list(proposal.omitted) == ["proposed_arguments_json"]
    await _read_all(pair, proposal)
    assert proposal.ByteSize() > BUDGET
    assert ballast in proposal.proposed_arguments_json
    assert len(proposal.bound_arguments_json) > 1_040_000
    for view in (batch_pb2.BATCH_VIEW_FULL, batch_pb2.BATCH_VIEW_ANSWERS):
        assert (await pair.stub.GetBatch(pb.GetBatchRequest(batch_id=batch_id, view=view))).ByteSize() <= BUDGET
    states = [proposal_pb2.PROPOSAL_STATE_SUCCEEDED]
    first = await pair.stub.ListProposals(pb.ListProposalsRequest(batch_id=batch_id, states=states))
    request = pb.ListProposalsRequest(batch_id=batch_id, states=states, page_token=first.next_page_token)
    second = await pair.stub.ListProposals(request)
    assert max(first.ByteSize(), second.ByteSize()) <= BUDGET
    assert [each.key for each in (*first.proposals, *second.proposals)] == ["source", "all"]


async def test_a_proposal_that_waits_for_very_many(tmp_path: Path):
    async with services(tmp_path) as pair:
        keys = [f"{LONG}{number:05}" for number in range(9_900)]
        last = call("note", "last", {"text": "t" * 250_000}, after=keys)
        held = await pair.submit(*[call("note", key) for key in keys], last)
        answer = await pair.stub.GetProposal(pb.GetProposalRequest(proposal_id=f"{held.batch_id}/last"))
        assert answer.ByteSize() <= BUDGET
        wide = await pair.stub.GetBatch(pb.GetBatchRequest(batch_id=held.batch_id, view=batch_pb2.BATCH_VIEW_ANSWERS))
        assert wide.ByteSize() <= BUDGET
        assert len(wide.answers) + wide.omitted == 9_901


async def test_very_many_agents(tmp_path: Path):
    """In each answer that has a batch in it, beside as many ids as there may be."""
    async with services(tmp_path) as pair:
        proposals = [call("note", f"{LONG}{number:05}", agent=f"{number:05}{WIDE[5:]}") for number in range(10_000)]
        request = pb.SubmitBatchRequest(batch=batch(*proposals, session_id="talk"))
        submitted = await pair.stub.SubmitBatch(request)
        assert submitted.ByteSize() <= BUDGET
        assert len(submitted.proposal_ids) == 10_000
        assert len(submitted.batch.agents) + submitted.batch.omitted_agents == 10_000
        assert submitted.batch.agents[0].name == proposals[0].agent
        wait = pb.WaitBatchRequest(batch_id=submitted.batch.batch_id, until=pb.UNTIL_BLOCKED)
        summary = (await pair.stub.WaitBatch(wait)).summary
        assert summary.ByteSize() <= BUDGET
        assert len(summary.answers) > 1_000
        cancelled = await pair.stub.CancelBatch(pb.CancelBatchRequest(batch_id=submitted.batch.batch_id))
        assert cancelled.ByteSize() <= BUDGET
        resumed = await pair.stub.ResumeBatch(pb.ResumeBatchRequest(batch_id=submitted.batch.batch_id))
        assert resumed.ByteSize() <= BUDGET
        assert (resumed.resumed, len(resumed.answers)) == (10_000, 1_000)
        await pair.stub.CancelBatch(pb.CancelBatchRequest(batch_id=submitted.batch.batch_id))
        retried = await pair.stub.RetryProposals(pb.RetryProposalsRequest(batch_id=submitted.batch.batch_id))
        assert retried.ByteSize() <= BUDGET
        assert len(retried.answers) == 10_000


async def test_pages_of_batches(pair: Services):
    labels = {f"{number:02}{WIDE[2:63]}": WIDE * 2 for number in range(32)}
    made = [(await pair.submit(open=True, labels=labels)).batch_id for _ in range(120)]
    found: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        answer = await pair.stub.ListBatches(pb.ListBatchesRequest(page_size=1000, page_token=token))
        assert answer.ByteSize() <= BUDGET
        found += [each.batch_id for each in answer.batches]
        token, pages = answer.next_page_token, pages + 1
    assert found == made[::-1]
    assert pages > 1


async def test_pages_of_sessions(pair: Services):
    context = f'{{"text":"{"c" * 65_000}"}}'
    for number in range(60):
        session = session_pb2.Session(session_id=f"s{number}", context_json=context)
        await pair.stub.CreateSession(pb.CreateSessionRequest(session=session))
    found: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        answer = await pair.stub.ListSessions(pb.ListSessionsRequest(page_size=1000, page_token=token))
        assert answer.ByteSize() <= BUDGET
        found += [session.session_id for session in answer.sessions]
        token, pages = answer.next_page_token, pages + 1
    assert sorted(found) == sorted(f"s{number}" for number in range(60))
    assert pages > 1


async def test_pages_of_tools(tmp_path: Path):
    """One whose description alone is too large is not used."""
    schema = '{"type":"object","description":"%s"}'
    tools = [described(f"tool{number}", arguments_schema_json=schema % ("d" * 1_000_000)) for number in range(4)]
    async with ScriptedExecutor() as executor, services(tmp_path, executors=[executor.address], known=()) as pair:
        conversation = await executor.next()
        beyond = described("beyond", description="d" * (2 << 20))
        await conversation.greet([*tools, beyond, described("small")])
        await pair.tools("small")
        found: list[str] = []
        token, pages = "", 0
        while pages == 0 or token:
            answer = await pair.stub.ListTools(pb.ListToolsRequest(page_token=token))
            assert answer.ByteSize() <= BUDGET
            found += [tool.descriptor.name for tool in answer.tools]
            token, pages = answer.next_page_token, pages + 1
        assert found == ["small", "tool0", "tool1", "tool2", "tool3"]
        assert pages > 1


async def test_a_thousand_items_that_are_nothing(pair: Services):
    ids = [f"{number:04}{WIDE * 30}" for number in range(1_000)]
    decisions = [pb.Decision(proposal_id=name, verdict=proposal_pb2.VERDICT_REJECT) for name in ids]
    for answer in (
        await pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=decisions)),
        await pair.stub.CancelProposals(pb.CancelProposalsRequest(proposal_ids=ids)),
        await pair.stub.RetryProposals(pb.RetryProposalsRequest(proposal_ids=ids)),
    ):
        assert answer.ByteSize() <= BUDGET
        assert [each.proposal_id for each in answer.answers] == [name[:256] for name in ids]
        assert {item_refusal(each.status) for each in answer.answers} == {("NOT_FOUND", "PROPOSAL_UNKNOWN")}


@pytest.mark.parametrize("path", ["nothing", "waiting.keys", ""])
async def test_a_mask_that_names_no_field(pair: Services, path: str):
    batch_id = (await pair.run(call("echo", "a"))).batch.batch_id
    request = pb.GetProposalRequest(proposal_id=f"{batch_id}/a", read_mask=FieldMask(paths=["state", path]))
    refused = await refusal(pair.stub.GetProposal(request))
    assert refused.short == ("INVALID_ARGUMENT", "REQUEST_INVALID")
    assert list(refused.fields) == ["read_mask.paths[1]"]
