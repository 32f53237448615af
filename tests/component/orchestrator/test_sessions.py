"""Sessions: made, read, listed, updated; and streams over all batches of one."""

import asyncio
import base64
import json
import uuid
from typing import Any

import pytest
from google.protobuf import duration_pb2

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import session_pb2
from orchestrator_svc.application.tokens import session_mark
from tests.support.gates import GATES
from tests.support.refusals import refusal
from tests.support.services import Received, Services, call, read, states


async def _create(pair: Services, session_id: str = "", **fields: Any) -> session_pb2.Session:
    session = session_pb2.Session(session_id=session_id, **fields)
    return (await pair.stub.CreateSession(pb.CreateSessionRequest(session=session))).session


def _watch(pair: Services, session_id: str, token: str = "", **fields: Any) -> Any:
    return pair.stub.WatchSession(pb.WatchSessionRequest(session_id=session_id, session_token=token, **fields))


def _by_batch(received: Received) -> dict[str, list[int]]:
    sequences: dict[str, list[int]] = {}
    for event in received.events:
        sequences.setdefault(event.batch_id, []).append(event.sequence)
    return sequences


async def test_made_read_and_listed(pair: Services):
    made = await _create(pair, "talk", title="A talk", context_json='{"b": 1, "a": "x"}', labels={"team": "red"})
    assert (made.session_id, made.title, made.context_json, made.revision) == ("talk", "A talk", '{"a":"x","b":1}', 1)
    other = await _create(pair)
    assert uuid.UUID(other.session_id)
    await pair.run(call("note", "a"), call("echo", "b"), session_id="talk")
    found = (await pair.stub.GetSession(pb.GetSessionRequest(session_id="talk"))).session
    statistics = found.statistics
    assert (statistics.batches, statistics.unfinished_batches, statistics.proposals, statistics.pending_decisions) == (
        1,
        1,
        2,
        1,
    )
    first = await pair.stub.ListSessions(pb.ListSessionsRequest(page_size=1))
    rest = await pair.stub.ListSessions(pb.ListSessionsRequest(page_token=first.next_page_token))
    assert [session.session_id for session in (*first.sessions, *rest.sessions)] == [other.session_id, "talk"]
    assert rest.next_page_token == ""


async def test_updated(pair: Services):
    await _create(pair, "talk", title="old", context_json='{"a":1}', labels={"x": "1"})
    request = pb.UpdateSessionRequest(session_id="talk", title="new", revision=1)
    changed = (await pair.stub.UpdateSession(request)).session
    assert (changed.title, changed.context_json, dict(changed.labels), changed.revision) == (
        "new",
        '{"a":1}',
        {"x": "1"},
        2,
    )
    refused = await refusal(pair.stub.UpdateSession(request))
    assert refused.short == ("ABORTED", "REVISION_MISMATCH")
    emptied = pb.UpdateSessionRequest(session_id="talk", context_json="", labels=pb.SessionLabels())
    changed = (await pair.stub.UpdateSession(emptied)).session
    assert (changed.context_json, dict(changed.labels), changed.title) == ("{}", {}, "new")


async def test_made_twice(pair: Services):
    await _create(pair, "talk")
    again = pb.CreateSessionRequest(session=session_pb2.Session(session_id="talk"))
    assert (await refusal(pair.stub.CreateSession(again))).short == ("ALREADY_EXISTS", "SESSION_EXISTS")


async def test_the_same_request_again(pair: Services):
    create = pb.CreateSessionRequest(session=session_pb2.Session(session_id="talk"), request_id=str(uuid.uuid4()))
    assert await pair.stub.CreateSession(create) == await pair.stub.CreateSession(create)
    update = pb.UpdateSessionRequest(session_id="talk", title="new", request_id=str(uuid.uuid4()))
    assert await pair.stub.UpdateSession(update) == await pair.stub.UpdateSession(update)
    update.title = "newer"
    assert (await refusal(pair.stub.UpdateSession(update))).reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"session_id": "a/b"}, "session.session_id"),
        ({"session_id": "x" * 129}, "session.session_id"),
        ({"title": "t" * 257}, "session.title"),
        ({"context_json": "[]"}, "session.context_json"),
        ({"context_json": "{"}, "session.context_json"),
        ({"context_json": json.dumps({"a": "x" * 70_000})}, "session.context_json"),
        ({"labels": {"": "x"}}, "session.labels"),
    ],
)
async def test_sessions_that_are_wrong(pair: Services, fields: dict[str, Any], field: str):
    refused = await refusal(pair.stub.CreateSession(pb.CreateSessionRequest(session=session_pb2.Session(**fields))))
    assert refused.short == ("INVALID_ARGUMENT", "SESSION_INVALID")
    assert list(refused.fields) == [field]


async def test_an_unknown_session(pair: Services):
    for answer in (
        pair.stub.GetSession(pb.GetSessionRequest(session_id="none")),
        pair.stub.UpdateSession(pb.UpdateSessionRequest(session_id="none", title="x")),
        _watch(pair, "none"),
        pair.stub.SoftConfirm(pb.SoftConfirmRequest(session_id="none", all=True)),
    ):
        assert (await refusal(answer)).short == ("NOT_FOUND", "SESSION_UNKNOWN")


async def test_all_batches_of_a_session_those_to_come_included(pair: Services):
    one = (await pair.run(call("echo"), session_id="talk")).batch
    watching = asyncio.create_task(read(_watch(pair, "talk"), lambda got: len(_by_batch(got)) == 3))
    two = (await pair.run(call("echo"), session_id="talk")).batch
    await pair.run(call("echo"), session_id="elsewhere")
    three = (await pair.run(call("echo"), session_id="talk")).batch
    received = await watching
    seen = _by_batch(received)
    assert list(seen) == [batch.batch_id for batch in (one, two, three)]
    assert seen[one.batch_id] == list(range(1, one.sequence + 1))
    assert all(frame.sequence == 0 and frame.session_token for frame in received.frames)
    assert [batch.session_no for batch in (one, two, three)] == [1, 2, 3]


async def test_a_token_goes_on_without_gap_or_repeat(pair: Services):
    held = await pair.submit(call("wait", "a", {"gate": "gate"}), session_id="talk")
    await pair.run(*[call("echo") for _ in range(70)], session_id="talk")
    whole = await read(_watch(pair, "talk"), lambda got: len(got.events) >= 215)
    tokens = {len(frame.events): frame.session_token for frame in whole.frames}
    GATES.open("gate")
    await pair.summary(held.batch_id)
    for count, token in enumerate(frame.session_token for frame in whole.frames):
        seen = [event for frame in whole.frames[: count + 1] for event in frame.events]
        rest = await read(_watch(pair, "talk", token, until=pb.UNTIL_FINISHED))
        got: dict[str, list[int]] = {}
        for event in (*seen, *rest.events):
            got.setdefault(event.batch_id, []).append(event.sequence)
        assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in got.values())
        assert [batch.session_no for batch in rest.summary.batches] == [1, 2]
    assert tokens


async def test_the_summary_of_a_session(pair: Services):
    await pair.run(call("echo", "a", {"value": 1}), session_id="talk")
    await pair.run(call("failing", "b"), session_id="talk")
    received = await read(_watch(pair, "talk", until=pb.UNTIL_FINISHED))
    summary = received.summary
    assert not summary.HasField("batch")
    assert states(summary.answers) == {"a": "SUCCEEDED", "b": "FAILED"}
    assert [answer.batch_id for answer in summary.answers] == [batch.batch_id for batch in summary.batches]
    again = await read(_watch(pair, "talk", received.frames[-1].session_token, until=pb.UNTIL_FINISHED))
    assert again.events == []
    assert again.summary == summary


async def test_without_until_it_ends_by_max_wait_alone(pair: Services):
    await pair.run(call("echo"), session_id="talk")
    received = await read(_watch(pair, "talk", max_wait=duration_pb2.Duration(nanos=10_000_000)))
    assert received.summary.wait_ended
    assert received.frames[-1].session_token


def _token(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


MARK = session_mark("default", "talk")
BAD_CURSORS: list[list[Any]] = [[], [1], [1, [[1, -1]]], [2**63, []], [1, [[2**64 - 1, 1]]], ["1", []], [1, [[1.5, 1]]]]
BAD_TOKENS = [[], {}, None, *([MARK, *cursor] for cursor in BAD_CURSORS), ["", 0, []], [0, 0, []]]


@pytest.mark.parametrize("token", ["x", "!!", "x" * 5000, *map(_token, BAD_TOKENS)])
async def test_a_bad_token(pair: Services, token: str):
    await _create(pair, "talk")
    refused = await refusal(_watch(pair, "talk", token))
    assert refused.short == ("INVALID_ARGUMENT", "SESSION_TOKEN_INVALID")
    assert list(refused.fields) == ["session_token"]


async def test_a_batch_that_goes_on_after_it_was_finished(pair: Services):
    summary = await pair.run(call("failing", "a", {"until": "mended"}), session_id="talk")
    first = await read(_watch(pair, "talk", until=pb.UNTIL_FINISHED))
    GATES.runs.append("mended")
    await pair.stub.RetryProposals(pb.RetryProposalsRequest(batch_id=summary.batch.batch_id))
    rest = await read(_watch(pair, "talk", first.frames[-1].session_token, until=pb.UNTIL_FINISHED))
    assert rest.sequences[0] == first.sequences[-1] + 1
    assert states(rest.summary.answers) == {"a": "SUCCEEDED"}


async def test_many_updates_at_once(pair: Services):
    await _create(pair, "talk")
    calls = [pair.stub.UpdateSession(pb.UpdateSessionRequest(session_id="talk", title=str(n))) for n in range(20)]
    revisions = [(await answer).session.revision for answer in calls]
    assert max(revisions) == 21


async def test_a_revision_that_nobody_could_have_seen(pair: Services):
    await _create(pair, "talk")
    for revision in (-1, 0, 2, 2**63 - 1, -(2**63)):
        request = pb.UpdateSessionRequest(session_id="talk", title="x", revision=revision)
        assert (await refusal(pair.stub.UpdateSession(request))).short == ("ABORTED", "REVISION_MISMATCH")


async def test_a_token_that_names_what_is_not_there(pair: Services):
    summary = await pair.run(call("echo"), session_id="talk")
    token = _token([MARK, 5, [[number, 1] for number in range(50_000)]])
    received = await read(_watch(pair, "talk", token, until=pb.UNTIL_FINISHED))
    assert received.sequences == list(range(2, summary.batch.sequence + 1))


async def test_a_token_of_another_session(pair: Services):
    """Numbers that were seen there say nothing of what was seen here."""
    await pair.run(call("echo", "a"), session_id="other")
    seen = await read(_watch(pair, "other", "", until=pb.UNTIL_FINISHED))
    await pair.run(call("echo", "a"), session_id="talk")
    refused = await refusal(_watch(pair, "talk", seen.frames[-1].session_token))
    assert refused.short == ("INVALID_ARGUMENT", "SESSION_TOKEN_INVALID")
    assert list(refused.fields) == ["session_token"]
