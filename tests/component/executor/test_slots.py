"""Slots: granted per stream, divided anew as streams come and go; a call above them is refused before any effect."""

import asyncio

from tests.support.executor import BATCH, Executor, Peer, call, executor, failure, result
from tests.support.gates import GATES


def total(peer: Peer) -> int:
    return peer.slots.total


def of_tool(peer: Peer, tool: str) -> int:
    return next(slots.total for slots in peer.slots.tools if slots.tool == tool)


async def test_slots_are_divided_as_streams_come_and_go():
    async with executor(slots=5) as exe:
        first = await exe.connect()
        assert total(first) == 5
        second = await exe.connect()
        await first.until(lambda: total(first) == 3)
        assert total(second) == 2
        assert (of_tool(first, "few"), of_tool(second, "few")) == (1, 1)
        await first.end()
        await second.until(lambda: total(second) == 5 and of_tool(second, "few") == 2)


async def test_what_one_uses_above_its_share_the_others_get_as_it_comes_free():
    async with executor(slots=4) as exe:
        first = await exe.connect()
        await first.send(*(call(key, "wait", {"gate": key}) for key in "abcd"))
        await first.until(lambda: len(first.all("accepted")) == 4)
        second = await exe.connect()
        assert total(second) == 1
        assert failure(await second.run("x", "echo", {"value": 1})) == ("RATE_LIMITED", "NONE", "SLOTS_EXHAUSTED")
        GATES.open("a")
        GATES.open("b")
        await second.until(lambda: total(second) == 2)
        assert result(await second.run("y", "echo", {"value": 1})) == 1
        GATES.open("c")
        GATES.open("d")


async def test_above_its_grant_a_call_is_refused_and_may_come_again():
    async with executor(slots=2) as exe:
        peer = await exe.connect()
        calls = [call(key, "wait", {"gate": "gate"}) for key in "ab"]
        await peer.send(*calls, call("c", "write", {"text": "c"}))
        refused = await peer.outcome(f"{BATCH}/c/1")
        assert failure(refused) == ("RATE_LIMITED", "NONE", "SLOTS_EXHAUSTED")
        assert refused.failure.refused
        assert not refused.HasField("start_time")
        assert GATES.runs == []
        GATES.open("gate")
        for made in calls:
            await peer.outcome(made.id)
        assert result(await peer.run("d", "write", {"text": "d"})) == "d"


async def test_a_tools_own_limit_holds_over_all_streams(exe: Executor, peer: Peer):
    other = await exe.connect()
    await peer.send(call("a", "few", {"gate": "gate"}), call("b", "few", {"gate": "gate"}))
    assert failure(await peer.outcome(f"{BATCH}/b/1"))[2] == "SLOTS_EXHAUSTED"
    assert result(await peer.run("c", "echo", {"value": 1})) == 1
    await other.send(call("d", "few", {"gate": "gate"}), call("e", "few", {"gate": "gate"}))
    assert failure(await other.outcome(f"{BATCH}/e/1"))[2] == "SLOTS_EXHAUSTED"
    GATES.open("gate")
    await peer.outcome(f"{BATCH}/a/1")
    await other.outcome(f"{BATCH}/d/1")


async def test_calls_of_a_stream_that_is_gone_keep_their_slots_until_they_end():
    async with executor(slots=3) as exe:
        gone = await exe.connect()
        await gone.send(call("a", "wait", {"gate": "gate"}), call("b", "wait", {"gate": "gate"}))
        await gone.until(lambda: len(gone.all("accepted")) == 2)
        await gone.end()
        peer = await exe.connect()
        assert total(peer) == 1
        await peer.attach(f"{BATCH}/a/1", exe.boot_id)
        await peer.until(lambda: total(peer) == 2)
        GATES.open("gate")
        await peer.until(lambda: total(peer) == 3)


async def test_more_streams_than_slots_each_may_try():
    async with executor(slots=1) as exe:
        peers = [await exe.connect() for _ in range(3)]
        assert [total(peer) for peer in peers] == [1, 1, 1]
        await peers[0].send(call("a", "wait", {"gate": "gate"}))
        await peers[0].until(lambda: peers[0].all("accepted"))
        assert failure(await peers[1].run("b", "echo", {"value": 1}))[2] == "SLOTS_EXHAUSTED"
        GATES.open("gate")
        await peers[0].outcome(f"{BATCH}/a/1")
        assert result(await peers[2].run("c", "echo", {"value": 1})) == 1


async def test_all_slots_are_there_again_after_calls_of_every_kind(exe: Executor, peer: Peer):
    kinds = [
        ("echo", {"value": 1}),
        ("plain", {"value": 1}),
        ("fail", {"how": "value_error"}),
        ("give", {"what": "nan"}),
        ("count", {"n": 3}),
        ("add", {"a": "not a number"}),
        ("no_such_tool", {}),
    ]
    calls = [call(f"{tool} {n}", tool, arguments) for tool, arguments in kinds for n in range(20)]
    for start in range(0, len(calls), 20):
        await peer.send(*calls[start : start + 20])
    await asyncio.gather(*(peer.outcome(made.id) for made in calls))
    service = exe.service.executor
    assert (service.in_flight, service.stuck) == (0, 0)
    second = await exe.connect()
    await peer.until(lambda: total(peer) == 500)
    assert total(second) == 500
