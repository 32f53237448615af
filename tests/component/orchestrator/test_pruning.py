"""Old events go: who asks for them is told so and goes on; the batch, its answers and its decisions are there."""

from pathlib import Path
from typing import Any

from google.protobuf import duration_pb2

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.support.gates import GATES
from tests.support.refusals import Refusal, refusal
from tests.support.services import Services, call, read, services, state_of, states

NOW = duration_pb2.Duration()
COMPACTED = ("OUT_OF_RANGE", "EVENTS_COMPACTED")


async def _prune(pair: Services, **fields: Any) -> pb.PruneBatchesResponse:
    return await pair.stub.PruneBatches(pb.PruneBatchesRequest(older_than=NOW, **fields))


def _watch(pair: Services, batch_id: str, **fields: Any) -> Any:
    return pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=batch_id, **fields))


def _session(pair: Services, **fields: Any) -> Any:
    fields.setdefault("until", pb.UNTIL_FINISHED)
    return pair.stub.WatchSession(pb.WatchSessionRequest(session_id="talk", **fields))


async def _decided(pair: Services) -> batch_pb2.Batch:
    """Finished, with an answer, a decision and a failure."""
    held = await pair.submit(
        call("echo", "a", {"value": 7}), call("note", "b"), call("failing", "c"), session_id="talk"
    )
    decision = pb.Decision(proposal_id=f"{held.batch_id}/b", verdict=proposal_pb2.VERDICT_REJECT, message="not now")
    await pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=[decision]))
    return (await pair.summary(held.batch_id, pb.UNTIL_FINISHED)).batch


async def test_what_outlives_the_events(pair: Services):
    batch = await _decided(pair)
    before = [await pair.proposal(batch.batch_id, key) for key in "abc"]
    whole = (await read(_watch(pair, batch.batch_id))).summary
    assert await _prune(pair, dry_run=True) == pb.PruneBatchesResponse(batches=1, events=batch.sequence)
    assert len((await read(_watch(pair, batch.batch_id))).events) == batch.sequence
    assert await _prune(pair) == pb.PruneBatchesResponse(batches=1, events=batch.sequence)
    assert await _prune(pair) == pb.PruneBatchesResponse()
    after = [await pair.proposal(batch.batch_id, key) for key in "abc"]
    for proposal in (*before, *after):
        for attempt in proposal.attempts:
            attempt.timing.ClearField("record")  # measured events are gone, and it with them
    assert after == before
    assert after[1].decisions[0].message == "not now"
    assert (await pair.stub.GetBatch(pb.GetBatchRequest(batch_id=batch.batch_id))).batch == batch
    assert (await pair.summary(batch.batch_id)).answers == whole.answers


async def test_a_watcher_is_told_and_goes_on(pair: Services):
    batch = await _decided(pair)
    await _prune(pair)
    for request in (
        _watch(pair, batch.batch_id),
        _watch(pair, batch.batch_id, resume_after=batch.sequence - 1),
        pair.stub.ListEvents(pb.ListEventsRequest(batch_id=batch.batch_id)),
    ):
        refused = await refusal(request)
        assert refused.short == COMPACTED
        assert list(refused.fields) == ["resume_after"]
        oldest = {"oldest_sequence": str(batch.sequence + 1), "sequence": str(batch.sequence)}
        assert refused.metadata == {"batch_id": batch.batch_id, **oldest}
    found = (await pair.stub.GetBatch(pb.GetBatchRequest(batch_id=batch.batch_id))).batch
    rest = await read(_watch(pair, batch.batch_id, resume_after=found.sequence))
    assert rest.events == []
    assert states(rest.summary.answers) == {"a": "SUCCEEDED", "b": "REJECTED", "c": "FAILED"}
    listed = await pair.stub.ListEvents(pb.ListEventsRequest(batch_id=batch.batch_id, resume_after=found.sequence))
    assert (list(listed.frame.events), listed.more) == ([], False)


async def test_a_batch_that_goes_on_afterwards(pair: Services):
    batch = await _decided(pair)
    await _prune(pair)
    GATES.runs.append("mended")
    await pair.stub.RetryProposals(pb.RetryProposalsRequest(batch_id=batch.batch_id))
    await pair.summary(batch.batch_id, pb.UNTIL_FINISHED)
    refused = await refusal(_watch(pair, batch.batch_id))
    assert refused.metadata["oldest_sequence"] == str(batch.sequence + 1)
    rest = await read(_watch(pair, batch.batch_id, resume_after=batch.sequence))
    assert rest.sequences == list(range(batch.sequence + 1, rest.summary.batch.sequence + 1))
    assert rest.details("c")[0] == "proposal_retried"


async def test_a_session_goes_on_behind_what_is_gone(pair: Services):
    """One before it that is not finished is seen whole, and one after it."""
    held = await pair.submit(call("wait", "w", {"gate": "gate"}), session_id="talk")
    gone = await _decided(pair)
    assert (await _prune(pair)).batches == 1
    later = (await pair.run(call("echo"), session_id="talk")).batch
    GATES.open("gate")
    await pair.summary(held.batch_id, pb.UNTIL_FINISHED)
    refused: Refusal = await refusal(_session(pair))
    assert refused.short == COMPACTED
    assert refused.metadata["batch_id"] == gone.batch_id
    seen = await read(_session(pair, session_token=refused.metadata["session_token"]))
    by_batch = {batch_id: [] for batch_id in (held.batch_id, later.batch_id)}
    for event in seen.events:
        by_batch[event.batch_id].append(event.sequence)
    assert all(sequences == list(range(1, len(sequences) + 1)) for sequences in by_batch.values())
    ends = {batch.batch_id: batch.sequence for batch in seen.summary.batches}
    assert {batch_id: len(sequences) for batch_id, sequences in by_batch.items()} == {
        batch_id: ends[batch_id] for batch_id in by_batch
    }
    assert [batch.batch_id for batch in seen.summary.batches] == [held.batch_id, gone.batch_id, later.batch_id]
    again = await read(_session(pair, session_token=seen.frames[-1].session_token or seen.frames[-2].session_token))
    assert again.events == []


async def test_who_has_seen_them_is_told_nothing(pair: Services):
    batch = await _decided(pair)
    token = (await read(_session(pair))).frames[-2].session_token
    await _prune(pair)
    seen = await read(_session(pair, session_token=token))
    assert (seen.events, state_of(seen.summary.batches[0])) == ([], state_of(batch))


async def test_only_of_ones_own_tenant_and_only_finished(pair: Services):
    blue = (("greenlight-tenant", "blue"),)
    batch = await _decided(pair)
    held = await pair.submit(call("note", "n"))
    other = await pair.stub.PruneBatches(pb.PruneBatchesRequest(older_than=NOW), metadata=blue)
    assert other == pb.PruneBatchesResponse()
    long_ago = pb.PruneBatchesRequest(older_than=duration_pb2.Duration(seconds=3600))
    assert await pair.stub.PruneBatches(long_ago) == pb.PruneBatchesResponse()
    assert (await _prune(pair)).batches == 1
    assert len((await read(_watch(pair, held.batch_id, until=pb.UNTIL_BLOCKED))).events) == held.sequence
    assert (await refusal(_watch(pair, batch.batch_id))).short == COMPACTED


async def test_an_age_is_required(pair: Services):
    refused = await refusal(pair.stub.PruneBatches(pb.PruneBatchesRequest()))
    assert refused.short == ("INVALID_ARGUMENT", "REQUEST_INVALID")
    assert list(refused.fields) == ["older_than"]
    negative = pb.PruneBatchesRequest(older_than=duration_pb2.Duration(seconds=-1))
    assert list((await refusal(pair.stub.PruneBatches(negative))).fields) == ["older_than"]


async def test_by_a_policy_of_age_and_only_by_one(tmp_path: Path):
    async with services(tmp_path) as pair:
        batch = (await pair.run(call("echo"))).batch
    async with services(tmp_path) as pair:
        assert len((await read(_watch(pair, batch.batch_id))).events) == batch.sequence
    async with services(tmp_path, events_retention=0.001) as pair:
        while True:
            found = await pair.stub.PruneBatches(pb.PruneBatchesRequest(older_than=NOW, dry_run=True))
            if not found.events:
                break
        assert (await refusal(_watch(pair, batch.batch_id))).short == COMPACTED
