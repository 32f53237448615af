"""The client library against the real pair, also through a proxy that cuts its connections."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight_client import (
    ConflictError,
    EventStream,
    GreenlightClient,
    GreenlightError,
    InvalidArgumentError,
    NotFoundError,
    PreconditionError,
    UnavailableError,
    answer_text,
    call,
    finished,
    ref,
    value,
)
from tests.e2e.pair import Pair
from tests.support.proxy import CuttableProxy


@pytest.fixture
async def client(shared: Pair) -> AsyncGenerator[GreenlightClient]:
    async with GreenlightClient(shared.ready["orchestrator"]) as opened:
        yield opened


@pytest.fixture
async def proxy(shared: Pair) -> AsyncGenerator[CuttableProxy]:
    async with CuttableProxy(shared.ready["orchestrator"]) as opened:
        yield opened


def _add(key: str, a: Any, b: Any, **more: Any) -> proposal_pb2.ProposalSpec:
    return call("add", {"a": a, "b": b}, key=key, **more)


async def test_an_agents_loop(client: GreenlightClient) -> None:
    calls = [
        _add("one", 1, 2),
        call("nonsense", {}, key="unknown"),
        call("add", '{"a": 1', key="cut"),
        call("broken", key="bad"),
        _add("two", ref("one"), 10),
        call("publish", {"text": "x"}, key="hard"),
    ]
    answers = await client.run_calls(calls)
    assert [answer.key for answer in answers] == ["one", "unknown", "cut", "bad", "two", "hard"]
    assert (value(answers[0]), value(answers[4])) == (3, 13)
    assert "nonsense" in answer_text(answers[1])
    assert [answer.state for answer in answers[1:4]] == [proposal_pb2.PROPOSAL_STATE_FAILED] * 3
    assert "it will not work" in answer_text(answers[3])
    assert answer_text(answers[5]) == "publish: proposed: waiting for a person's decision"


async def test_large_results_come_whole(client: GreenlightClient) -> None:
    assert await client.run_calls([]) == []
    answers = await client.run_calls([call("large", {"kib": 900}, key=f"k{number}") for number in range(8)])
    assert [len(value(answer)) for answer in answers] == [900 * 1024] * 8


async def test_a_batch_that_grows(client: GreenlightClient) -> None:
    batch_id = (await client.submit([], open=True)).batch.batch_id
    added = await client.add(batch_id, [_add("a", 1, 1)])
    assert added.proposal_ids == [f"{batch_id}/a"]
    assert (await client.wait(batch_id, until="blocked")).batch.state == batch_pb2.BATCH_STATE_IDLE
    await client.add(batch_id, [_add("b", ref("a"), 1), call("broken", key="c")])
    await client.add(batch_id, [_add("d", 1, 1, after=[finished("c")])])
    assert not (await client.close(batch_id)).open
    summary = await client.wait(batch_id)
    assert [answer.key for answer in summary.answers] == ["a", "b", "c", "d"]
    assert summary.batch.state == batch_pb2.BATCH_STATE_PARTIAL
    with pytest.raises(PreconditionError) as raised:
        await client.add(batch_id, [_add("late", 1, 1)])
    assert raised.value.reason == "BATCH_CLOSED"


async def test_errors_have_their_reason(client: GreenlightClient) -> None:
    with pytest.raises(InvalidArgumentError) as invalid:
        await client.submit([call("nonsense"), _add("x", "one", 2)])
    assert invalid.value.reason == "BATCH_INVALID"
    assert len(invalid.value.violations) == 2
    with pytest.raises(NotFoundError) as unknown:
        await client.get_batch(str(uuid4()))
    assert unknown.value.reason == "BATCH_UNKNOWN"
    with pytest.raises(NotFoundError):
        await client.watch(str(uuid4())).finish()


async def test_a_request_id_makes_a_mutation_repeatable(client: GreenlightClient) -> None:
    request_id = str(uuid4())
    first = await client.submit([_add("x", 1, 2)], request_id=request_id)
    second = await client.submit([_add("x", 1, 2)], request_id=request_id)
    assert first.batch.batch_id == second.batch.batch_id
    with pytest.raises(InvalidArgumentError) as reused:
        await client.submit([_add("x", 1, 3)], request_id=request_id)
    assert reused.value.reason == "REQUEST_ID_REUSED"


async def test_deciding(client: GreenlightClient) -> None:
    batch_id = (await client.submit([call("publish", {"text": "a"}, key=key) for key in "abc"])).batch.batch_id
    waiting = [item async for item in client.list_proposals(batch_id=batch_id)]
    assert len(waiting) == 3
    by_key = {item.key: item for item in waiting}
    await client.approve(by_key["a"])
    await client.reject(by_key["b"], "no")
    await client.edit(by_key["c"], {"text": "c"})
    with pytest.raises(PreconditionError):
        await client.reject(by_key["a"])
    summary = await client.wait(batch_id)
    assert [answer_text(answer) for answer in summary.answers] == ['"a"', "publish: rejected: no", '"c"']


async def test_what_has_changed_since_it_was_shown_is_not_approved(client: GreenlightClient) -> None:
    batch_id = (await client.submit([call("publish", {"text": "a"}, key="a")])).batch.batch_id
    with pytest.raises(ConflictError):
        await client.approve(f"{batch_id}/a", digest="sha256:" + "0" * 64)
    with pytest.raises(InvalidArgumentError) as required:
        await client.approve(f"{batch_id}/a")
    assert required.value.reason == "DIGEST_REQUIRED"
    await client.cancel(batch_id)


async def test_trying_again_what_failed(client: GreenlightClient, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    calls = [call("broken", {"unless": str(mended)}, key=key, agent=agent) for key, agent in (("a", "red"), ("b", ""))]
    batch_id = (await client.submit([*calls, _add("c", 1, 2, after=["b"])])).batch.batch_id
    failed, skipped = proposal_pb2.PROPOSAL_STATE_FAILED, proposal_pb2.PROPOSAL_STATE_SKIPPED
    assert [answer.state for answer in (await client.wait(batch_id)).answers] == [failed, failed, skipped]
    mended.touch()
    (answer,) = await client.retry(batch_id, agents=["red"], reason="it is mended")
    assert (answer.proposal_id, answer.status.code) == (f"{batch_id}/a", 0)
    summary = await client.wait(batch_id)
    assert value(summary.answers[0]) == "mended"
    assert [answer.state for answer in summary.answers[1:]] == [failed, skipped]
    assert (await client.get_proposal(f"{batch_id}/a")).last_operator_reason == "it is mended"
    assert [answer.status.code for answer in await client.retry_proposals([f"{batch_id}/{key}" for key in "ab"])] == [
        grpc.StatusCode.FAILED_PRECONDITION.value[0],
        0,
    ]
    assert value((await client.wait(batch_id)).answers[2]) == 3
    assert await client.retry(batch_id) == []


async def test_saying_what_became_of_an_unknown_outcome(client: GreenlightClient) -> None:
    batch_id = (await client.submit([call("doubtful", key=key) for key in "abc"])).batch.batch_id
    a, b, c = (f"{batch_id}/{key}" for key in "abc")
    summary = await client.wait(batch_id, until="blocked")
    assert {answer.state for answer in summary.answers} == {proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN}
    revision = (await client.get_proposal(a)).revision
    with pytest.raises(ConflictError):
        await client.resolve(a, "succeeded", "asked the bank", result=3, revision=revision + 1)
    resolved = await client.resolve(a, "succeeded", "asked the bank", result={"paid": 3}, revision=revision)
    assert (resolved.result_json, resolved.last_operator_reason) == ('{"paid": 3}', "asked the bank")
    await client.resolve(b, "failed", "it never came")
    await client.resolve(c, "run_again", "it never came")
    with pytest.raises(PreconditionError) as raised:
        await client.resolve(a, "failed", "looked again")
    assert raised.value.reason == "NOT_RESOLVABLE"
    answers = (await client.wait(batch_id)).answers
    assert (value(answers[0]), value(answers[2])) == ({"paid": 3}, "attempt 2")
    assert answers[1].state == proposal_pb2.PROPOSAL_STATE_FAILED


async def test_a_users_turn(client: GreenlightClient) -> None:
    session = f"turn-{uuid4()}"
    batch_id = (await client.submit([call("note", {"text": "1"}, key="shown")], session=session)).batch.batch_id
    async with client.watch_session(session, until="blocked") as stream:
        async for _ in stream:
            pass
    await client.submit([call("note", {"text": "2"}, key="later")], session=session)
    confirmation = client.soft_confirm(session, shown_through=stream.session_token)
    said = await confirmation.confirmed()
    assert said.confirmed == [f"{batch_id}/shown"]
    assert len(said.not_shown) == 1
    summary = await confirmation.finish()
    assert [answer.result_json for answer in summary.answers if answer.key == "shown"] == ['"1"']


async def test_sessions(client: GreenlightClient) -> None:
    session = await client.create_session(f"s-{uuid4()}", title="talk", context={"user": "ann"}, labels={"a": "b"})
    changed = await client.update_session(session.session_id, title="other", revision=session.revision)
    assert (changed.title, changed.context_json) == ("other", '{"user":"ann"}')
    with pytest.raises(ConflictError):
        await client.update_session(session.session_id, title="x", revision=session.revision)
    assert (await client.get_session(session.session_id)).title == "other"
    assert session.session_id in [item.session_id async for item in client.list_sessions()]


async def test_lists_go_over_their_pages(client: GreenlightClient) -> None:
    session = f"pages-{uuid4()}"
    ids = [(await client.submit([_add("x", 1, number)], session=session)).batch.batch_id for number in range(5)]
    assert [item.batch_id async for item in client.list_batches(session_id=session, page_size=2)] == ids[::-1]
    events = [event async for event in client.list_events(ids[0], page_size=1)]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


async def test_leaving_early_ends_the_stream_and_not_the_batch(client: GreenlightClient) -> None:
    calls = [call("steps", {"number": 3, "seconds": 0.5}, key="slow")]
    async with client.run(calls) as stream:
        async for event in stream:
            if event.HasField("attempt_dispatched"):
                break
    assert stream.ended
    rest = client.watch(stream.batch_id, resume_after=stream.sequence)
    sequences = [event.sequence async for event in rest]
    assert sequences == list(range(stream.sequence + 1, stream.sequence + 1 + len(sequences)))
    assert rest.summary.batch.state == batch_pb2.BATCH_STATE_SUCCEEDED


async def test_a_time_limit_around_a_stream_loses_nothing(client: GreenlightClient) -> None:
    stream = client.run([call("steps", {"number": 4, "seconds": 0.6}, key="slow")])
    seen: list[int] = []
    for _ in range(100):
        try:
            async with asyncio.timeout(0.05):
                seen += [event.sequence async for event in stream]
                break
        except TimeoutError:
            seen = seen or []
    assert stream.ended
    assert stream.summary.batch.sequence == stream.sequence


async def _sequences(stream: EventStream, seen: list[int]) -> None:
    async for event in stream:
        seen.append(event.sequence)


async def test_a_stream_goes_on_when_its_connection_is_cut(proxy: CuttableProxy) -> None:
    calls = [call("steps", {"number": 20, "seconds": 1.5}, key=f"slow{number}") for number in range(5)]
    said: list[GreenlightError | None] = []
    seen: list[int] = []
    async with GreenlightClient(proxy.address) as client:
        stream = client.run(calls, on_interruption=said.append)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_sequences(stream, seen))
            while not reading.done():
                await asyncio.sleep(0.25)
                await proxy.cut()
        assert stream.summary.batch.state == batch_pb2.BATCH_STATE_SUCCEEDED
        assert seen == list(range(1, stream.summary.batch.sequence + 1))
        batches = [item.batch_id async for item in client.list_batches(session_id=stream.summary.batch.session_id)]
    assert batches == [stream.batch_id]
    assert {type(error) for error in said} == {UnavailableError, type(None)}


async def test_a_lost_answer_is_fetched_again_and_submits_once(proxy: CuttableProxy) -> None:
    session = f"lost-{uuid4()}"
    async with GreenlightClient(proxy.address) as client:
        await client.server_info()
        proxy.swallowing = True
        async with asyncio.TaskGroup() as group:
            submitting = group.create_task(client.submit([_add("x", 1, 2)], session=session))
            running = group.create_task(client.run([_add("y", 1, 2)], session=session).finish())
            await asyncio.sleep(0.3)
            proxy.swallowing = False
            await proxy.cut()
        found = {item.batch_id async for item in client.list_batches(session_id=session)}
    assert found == {submitting.result().batch.batch_id, running.result().batch.batch_id}


async def test_a_server_that_is_not_there_is_given_up(proxy: CuttableProxy) -> None:
    proxy.refusing = True
    async with GreenlightClient(proxy.address, retry_for=0.3) as client:
        with pytest.raises(UnavailableError):
            await client.server_info()
        with pytest.raises(UnavailableError):
            await client.run([_add("x", 1, 2)]).finish()
    assert proxy.connections > 1
