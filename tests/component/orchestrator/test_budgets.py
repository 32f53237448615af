"""No message is larger than 3 MiB: results are left out first, then whole answers, and both are said."""

from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight_client.client import GreenlightClient
from orchestrator_svc.application import summaries
from tests.support.services import Services, batch, call, read, services

BUDGET = 3 << 20


async def test_a_summary_leaves_out_results(pair: Services):
    sizes = [400_000] * 10 + [10] * 10
    sizes_of: list[int] = []
    last = pb.RunBatchResponse()
    spec = batch(*[call("sized", arguments={"size": size}) for size in sizes])
    async for response in pair.stub.RunBatch(pb.RunBatchRequest(batch=spec)):
        sizes_of.append(response.ByteSize())
        last = response
    assert max(sizes_of) <= BUDGET
    answers = last.frame.summary.answers
    assert len(answers) == 20
    assert [answer.omitted for answer in answers] == [False] * 7 + [True] * 3 + [False] * 10
    assert all(bool(answer.result_json) != answer.omitted for answer in answers)
    batch_id = last.frame.summary.batch.batch_id
    assert len((await pair.proposal(batch_id, answers[9].key)).result_json) == 400_002
    request = pb.GetBatchRequest(batch_id=batch_id, view=batch_pb2.BATCH_VIEW_ANSWERS)
    assert list((await pair.stub.GetBatch(request)).answers) == list(answers)


async def test_whole_proposals_are_left_out(pair: Services):
    batch_id = (await pair.run(*[call("sized", arguments={"size": 500_000}) for _ in range(12)])).batch.batch_id
    request = pb.GetBatchRequest(batch_id=batch_id, view=batch_pb2.BATCH_VIEW_FULL)
    full = await pair.stub.GetBatch(request)
    assert full.ByteSize() <= BUDGET
    assert len(full.proposals) + full.omitted == 12
    assert 5 <= len(full.proposals) < 12


async def test_pages_of_proposals_are_cut(pair: Services):
    batch_id = (await pair.run(*[call("sized", arguments={"size": 500_000}) for _ in range(12)])).batch.batch_id
    keys: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        request = pb.ListProposalsRequest(
            batch_id=batch_id, states=[proposal_pb2.PROPOSAL_STATE_SUCCEEDED], page_token=token
        )
        page = await pair.stub.ListProposals(request)
        assert page.ByteSize() <= BUDGET
        keys += [proposal.key for proposal in page.proposals]
        token, pages = page.next_page_token, pages + 1
    assert keys == [f"p{n}" for n in range(1, 13)]
    assert pages > 1


async def test_pages_of_events_are_cut(pair: Services):
    batch_id = (await pair.run(*[call("sized", arguments={"size": 700_000}) for _ in range(8)])).batch.batch_id
    after, more, seen = 0, True, 0
    while more:
        request = pb.ListEventsRequest(batch_id=batch_id, resume_after=after, page_size=1000)
        page = await pair.stub.ListEvents(request)
        assert page.ByteSize() <= BUDGET
        after, more, seen = page.frame.sequence, page.more, seen + len(page.frame.events)
    assert seen == after == 26


async def test_answers_of_a_very_large_batch(tmp_path: Path):
    """Long keys, and a rejection with a long message each."""
    async with services(tmp_path) as pair:
        key = "k" * 120
        spec = batch(*[call("note", f"{key}{n}") for n in range(2_500)])
        held = (await pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec))).batch
        for start in range(0, 2_500, 500):
            decisions = [
                pb.Decision(
                    proposal_id=f"{held.batch_id}/{key}{n}",
                    verdict=proposal_pb2.VERDICT_REJECT,
                    message="m" * 4_000,
                )
                for n in range(start, start + 500)
            ]
            await pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=decisions))
        answer = await pair.stub.WaitBatch(pb.WaitBatchRequest(batch_id=held.batch_id))
        assert answer.ByteSize() <= BUDGET
        summary = answer.summary
        assert summary.omitted_answers > 0
        assert len(summary.answers) + summary.omitted_answers == summary.batch.counts.rejected == 2_500


async def test_a_result_as_large_as_one_may_be(pair: Services):
    summary = await pair.run(call("sized", "a", {"size": (1 << 20) - 2}), call("sized", "b", {"size": 1 << 20}))
    assert len(summary.answers[0].result_json) == 1 << 20
    assert summary.answers[1].failure.reason == "RESULT_TOO_LARGE"


async def test_a_confirmation_of_very_many_comes_in_parts(tmp_path: Path):
    """By a stub and by the client with their default limits."""
    async with services(tmp_path) as pair:
        first = await pair.submit(call("note", "a"), session_id="talk")
        request = pb.WatchSessionRequest(session_id="talk", until=pb.UNTIL_BLOCKED)
        token = (await read(pair.stub.WatchSession(request))).frames[-1].session_token
        keys = ["k" * 120 + str(number) for number in range(9_900)]
        later = [await pair.submit(*[call("note", key) for key in keys], session_id="talk") for _ in range(2)]
        expected = [f"{held.batch_id}/{key}" for held in later for key in keys]
        turn = pb.SoftConfirmRequest(session_id="talk", shown_through=token)
        parts: list[pb.SoftConfirmation] = []
        async for response in pair.stub.SoftConfirm(turn):
            assert response.ByteSize() <= BUDGET
            if response.HasField("confirmation"):
                parts.append(response.confirmation)
        assert [part.more for part in parts] == [True, False]
        assert [name for part in parts for name in part.confirmed] == [f"{first.batch_id}/a"]
        assert [name for part in parts for name in part.not_shown] == expected
        async with GreenlightClient(pair.orchestrator.address) as client:
            said = await client.soft_confirm("talk", shown_through=token).confirmed()
            assert list(said.not_shown) == expected


async def test_a_long_session_is_summed_up_from_its_end(pair: Services, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(summaries, "ENOUGH_BYTES", 1)
    monkeypatch.setattr(summaries, "MAX_BATCHES", 3)
    for number in range(4):
        await pair.run(call("echo", "a", {"value": number}), call("echo", "b"), session_id="talk")
    request = pb.WatchSessionRequest(session_id="talk", until=pb.UNTIL_FINISHED)
    summary = (await read(pair.stub.WatchSession(request))).summary
    assert [batch.session_no for batch in summary.batches] == [2, 3, 4]
    assert [(answer.key, answer.result_json) for answer in summary.answers] == [("a", "3"), ("b", "null")]
    assert summary.omitted_answers == 4
