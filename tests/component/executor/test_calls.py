"""Calls that end well."""

import json

import pytest

from greenlight.executor.v1 import executor_pb2 as pb
from tests.support.executor import BATCH, HOSTILE, Executor, Peer, call, executor, failure, origin, result
from tests.support.gates import GATES


async def test_the_first_message_says_who_answers_with_which_tools_and_slots(exe: Executor, peer: Peer):
    first = peer.first
    assert first.identity.boot_id == exe.boot_id
    assert first.identity.executor_id
    assert first.identity.version
    assert {(tool.name, tool.version) for tool in first.tools} >= {("echo", "1"), ("add", "2.1"), ("add", "2.10")}
    assert first.slots.total == 1000
    assert {(slots.tool, slots.total) for slots in first.slots.tools} >= {("few", 2), ("plain", 32)}


@pytest.mark.parametrize("tool", ["echo", "plain"])
@pytest.mark.parametrize("value", [None, True, "ü\U0001f600", [1, 2.5, {"a": None}], 2**200, 0.1])
async def test_a_value_goes_in_and_out_exactly(peer: Peer, tool: str, value: object):
    outcome = await peer.run("a", tool, {"value": value})
    assert result(outcome) == value
    assert outcome.HasField("start_time")
    assert outcome.HasField("queue_duration")
    assert outcome.HasField("run_duration")


@pytest.mark.parametrize(
    ("what", "text"),
    [("big", str(2**70)), ("float", "0.30000000000000004"), ("exact", str(2**53 + 1)), ("small", "5e-324")],
)
async def test_numbers_are_written_exactly(peer: Peer, what: str, text: str):
    assert (await peer.run("a", "give_number", {"what": what})).result_json == text


async def test_integers_have_up_to_a_thousand_digits():
    async with executor(HOSTILE) as exe:
        peer = await exe.connect()
        assert result(await peer.run("most", "power", {"exponent": 999})) == 10**999
        for key, exponent in (("more", 1000), ("many more", 5000)):
            outcome = await peer.run(key, "power", {"exponent": exponent})
            assert failure(outcome) == ("PERMANENT", "DONE", "RESULT_NOT_JSON")
            assert "an integer has more than 1,000 digits; return it as a string" in outcome.failure.message


async def test_an_omitted_argument_has_its_default(peer: Peer):
    assert result(await peer.run("a", "add", {"a": 1}, version="2.1")) == 2


async def test_a_tool_gets_to_know_where_its_call_comes_from(peer: Peer):
    made = call("note", "about", idempotency_key="the key", attempt=3, agent="risk")
    given = origin(context_json='{"mode":"ask","deep":{"a":1}}', labels={"team": "desk"}, session_id="talk")
    await peer.send(made, origins=[origin(tenant="other"), given], cancels=["unknown"], acknowledgements=["unknown"])
    await peer.outcome(made.id)
    made.origin = 1
    made.id = f"{BATCH}/note/2"
    await peer.send(made, origins=[origin(tenant="other"), given])
    assert result(await peer.outcome(made.id)) == {
        "tenant": "acme",
        "principal": "user:ann",
        "session_id": "talk",
        "session": {"mode": "ask", "deep": {"a": 1}},
        "agent": "risk",
        "batch_id": BATCH,
        "proposal_id": f"{BATCH}/note",
        "labels": {"team": "desk"},
        "attempt": 3,
        "idempotency_key": "the key",
        "deadline": "UTC",
        "remaining": True,
        "cancelled": False,
    }


async def test_a_generators_values_come_as_chunks_before_the_result(peer: Peer):
    outcome = await peer.run("a", "count", {"n": 200})
    chunks = peer.all("chunks")
    assert [chunk.index for chunk in chunks] == list(range(200))
    assert [json.loads(chunk.chunk_json) for chunk in chunks] == list(range(200)) == result(outcome)


async def test_calls_run_side_by_side(peer: Peer):
    await peer.send(call("a", "wait", {"gate": "gate"}), call("b", "echo", {"value": 1}))
    assert result(await peer.outcome(f"{BATCH}/b/1")) == 1
    assert not peer.outcomes[f"{BATCH}/a/1"]
    GATES.open("gate")
    assert result(await peer.outcome(f"{BATCH}/a/1")) == "gate"


@pytest.mark.parametrize("tool", ["wait", "wait_on_thread"])
async def test_a_call_that_still_runs_is_said_to_be_accepted(peer: Peer, tool: str):
    arguments = {"gate": "gate"} if tool == "wait" else {"gate": "gate", "obey": False}
    made = call("a", tool, arguments)
    await peer.send(made)
    accepted = await peer.until(lambda: peer.all("accepted"))
    assert [entry.call_id for entry in accepted] == [made.id]
    GATES.open("gate")
    outcome = await peer.outcome(made.id)
    assert outcome.start_time == accepted[0].start_time


async def test_a_call_that_has_ended_is_not(peer: Peer):
    calls = [call(str(number), "echo", {"value": number}) for number in range(64)]
    await peer.send(*calls)
    for made in calls:
        await peer.outcome(made.id)
    assert peer.all("accepted") == []


async def test_many_calls_fill_frames_within_the_limits(peer: Peer):
    calls = [call(str(number), "echo", {"value": "x" * 100_000}) for number in range(100)]
    for number in range(0, 100, 20):
        await peer.send(*calls[number : number + 20])
    for made in calls:
        await peer.outcome(made.id)
    assert all(len(message.outcomes) <= 64 for message in peer.messages)
    assert all(message.ByteSize() < 3 << 20 for message in peer.messages)


async def test_whoever_ends_its_side_still_gets_its_answers(exe: Executor):
    peer = await exe.connect()
    await peer.send(call("a", "wait", {"gate": "gate"}), call("b", "echo", {"value": 1}))
    await peer.stream.done_writing()
    await peer.outcome(f"{BATCH}/b/1")
    GATES.open("gate")
    await peer.outcome(f"{BATCH}/a/1")
    await peer.until_over()
    assert peer.ended is None


async def test_tools_are_listed_by_name_and_version_in_pages(exe: Executor):
    listed = (await exe.stub.ListTools(pb.ListToolsRequest())).tools
    names = [(tool.name, tool.version) for tool in listed]
    assert names.index(("add", "2.1")) + 1 == names.index(("add", "2.10"))
    assert [name for name, _ in names] == sorted(name for name, _ in names)
    collected, token = [], ""
    while True:
        page = await exe.stub.ListTools(pb.ListToolsRequest(page_size=3, page_token=token))
        collected += page.tools
        token = page.next_page_token
        if not token:
            break
    assert collected == list(listed)


async def test_a_descriptor_says_all_that_was_declared(exe: Executor):
    listed = {tool.name: tool for tool in (await exe.stub.ListTools(pb.ListToolsRequest())).tools}
    echo, silent = listed["echo"], listed["silent"]
    assert echo.description == "Returns what it gets."
    assert json.loads(echo.arguments_schema_json)["properties"]["value"]["description"] == "anything"
    assert (echo.effect, echo.tier, echo.timeout.seconds) == (1, 1, 30)
    assert not echo.HasField("stall_timeout")
    assert silent.stall_timeout.ToMilliseconds() == 50
    assert listed["chunks"].result_limit_bytes == 1000
    assert (listed["few"].concurrency, listed["plain"].concurrency) == (2, 0)


async def test_the_server_says_what_it_is_and_does(exe: Executor, peer: Peer):
    await peer.send(call("a", "wait", {"gate": "gate"}))
    await peer.until(lambda: peer.all("accepted"))
    info = await exe.stub.GetServerInfo(pb.GetServerInfoRequest())
    assert info.identity == peer.first.identity
    assert (info.slots, info.in_flight, info.stuck_threads, info.unsafe_call_tool) == (1000, 1, 0, False)
    assert (info.max_request_bytes, info.max_result_bytes) == (16 << 20, 2 << 20)
