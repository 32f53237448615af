"""Who gets a slot when there are not enough."""

from collections import Counter

from orchestrator_svc.application.caller import Caller
from orchestrator_svc.application.engine.dispatcher import QUANTUM, Dispatcher, Lane
from orchestrator_svc.application.submit import BatchSpec
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.tool import Effect, Tier
from tests.support.batches import Builder, judged
from tests.support.engine_world import failed, keys, later, ok, spec, started
from tests.support.world import SECOND, World, tool


def ready_batch(tenant: str, session: str, count: int, *, max_in_flight: int = 0) -> Batch:
    builder = Builder(tenant=tenant, session_id=session)
    builder.batch.max_in_flight = max_in_flight
    builder.submit([judged(f"p{number}") for number in range(count)])
    return builder.batch


def served(lane: Lane, most: int) -> Counter[tuple[str, str]]:
    return Counter((ready.batch.tenant, ready.batch.session_id) for ready in lane.take(most))


def lane_of(*batches: Batch) -> Lane:
    dispatcher = Dispatcher()
    for batch in batches:
        dispatcher.offer(batch, batch.proposals, 0.0)
    (lane,) = dispatcher.lanes()
    return lane


def test_tenants_take_turns_whatever_they_ask_for() -> None:
    lane = lane_of(ready_batch("big", "s", 500), ready_batch("big", "t", 500), ready_batch("small", "u", QUANTUM))
    assert served(lane, 2 * QUANTUM) == {("big", "s"): QUANTUM, ("small", "u"): QUANTUM}


def test_sessions_of_a_tenant_take_turns() -> None:
    lane = lane_of(ready_batch("a", "s", 500), ready_batch("a", "s", 500), ready_batch("a", "t", 500))
    assert served(lane, 8 * QUANTUM) == {("a", "s"): 4 * QUANTUM, ("a", "t"): 4 * QUANTUM}


def test_batches_of_a_session_take_turns() -> None:
    first, second = ready_batch("a", "s", 500), ready_batch("a", "s", 500)
    taken = Counter(ready.batch.id for ready in lane_of(first, second).take(6 * QUANTUM))
    assert taken == {first.id: 3 * QUANTUM, second.id: 3 * QUANTUM}


def test_nothing_is_lost_or_doubled_on_the_way() -> None:
    batches = [ready_batch(tenant, session, 37) for tenant in "ab" for session in "st" for _ in range(3)]
    lane = lane_of(*batches)
    taken = [(r.batch.id, r.proposal.ordinal) for _ in range(100) for r in lane.take(7)]
    assert sorted(taken) == sorted((batch.id, p.ordinal) for batch in batches for p in batch.proposals)
    assert lane.count == 0


def test_a_dropped_batch_leaves_its_lanes_and_the_others_stay() -> None:
    dispatcher = Dispatcher()
    mine, theirs = ready_batch("a", "s", 20), ready_batch("a", "s", 3)
    for batch in (mine, theirs):
        dispatcher.offer(batch, batch.proposals, 0.0)
    dispatcher.drop(mine)
    (lane,) = dispatcher.lanes()
    assert {ready.batch for ready in lane.take(100)} == {theirs}
    dispatcher.drop(theirs)
    assert not dispatcher.waiting()


async def test_tools_take_turns_where_slots_are_scarce() -> None:
    world = World()
    tools = (tool("a"), tool("b"))
    async with started(world, tools, slots=1) as replica:
        await world.run(*[spec("a", f"a{n}") for n in range(6)])
        await world.run(*[spec("b", f"b{n}") for n in range(6)])
        for _ in range(6):
            replica.release()
            await world.settle()
        assert Counter(call.tool.name for call in replica.received[1:7]) == {"a": 3, "b": 3}


async def test_slots_are_never_exceeded() -> None:
    world = World()
    limited = tool("limited", Effect.IDEMPOTENT, Tier.AUTO)
    async with started(world, (tool("read"), limited), slots=5) as replica:
        replica.grant(5, {limited.key: 2})
        await world.run(*[spec("limited") for _ in range(20)], *[spec("read") for _ in range(20)])
        done = 0
        while replica.held:
            assert len(replica.held) <= 5
            assert sum(call.tool == limited.key and call.id in replica.held for call in replica.received) <= 2
            replica.release(replica.held[0])
            done += 1
            await world.settle()
        assert done == 40


async def test_two_executors_are_both_used_while_records_are_under_way() -> None:
    world = World()
    async with started(world, slots=1) as first:
        second = world.executors.add([*first.tools.values()], executor_id="executor-2", slots=1)
        await world.settle()
        await world.run(spec("send", "a"), spec("send", "b"))
        assert len(first.held) == len(second.held) == 1


async def test_one_in_flight_goes_in_input_order() -> None:
    world = World()
    async with started(world) as replica:
        await world.run(
            spec("read", "c", "a"), spec("write", "a"), spec("read", "b"), spec("send", "d"), max_in_flight=1
        )
        order: list[str] = []
        while replica.held:
            assert len(replica.held) == 1
            order += keys(replica.held)
            replica.release()
            await world.settle()
        assert order == ["a/1", "c/1", "b/1", "d/1"]


async def test_one_in_flight_lets_others_pass_what_waits_for_a_person_or_backs_off() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("pay", "a"), spec("read", "b"), spec("read", "c"), max_in_flight=1)
        assert keys(replica.held) == ["b/1"]
        replica.end(replica.held[0], failed())
        await world.settle()
        assert keys(replica.held) == ["c/1"]
        await world.approve(f"{batch_id}/a")
        assert keys(replica.held) == ["c/1"]
        await later(world, 60)
        replica.release()
        await world.settle()
        assert keys(replica.held) == ["a/1"]
        replica.end(replica.held[0], ok())
        await world.settle()
        assert keys(replica.held) == ["b/2"]


async def test_max_in_flight_holds_over_many_batches_and_tenants() -> None:
    world = World()
    async with started(world) as replica:
        spec_of = BatchSpec(proposals=[spec("read") for _ in range(9)], max_in_flight=2, deadline=3600 * SECOND)
        for tenant in ("a", "b"):
            await world.submit.submit(Caller(tenant, "user:x"), spec_of, None)
        await world.settle()
        assert Counter(call.origin.tenant for call in replica.received) == {"a": 2, "b": 2}
        while replica.held:
            per_tenant = Counter(call.origin.tenant for call in replica.received if call.id in replica.held)
            assert max(per_tenant.values()) <= 2
            replica.release(replica.held[0])
            await world.settle()
        assert len(replica.received) == 18
