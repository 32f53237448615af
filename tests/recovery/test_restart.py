"""What stands where it stood after a start, and what goes by its effect."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.domain.tool import FailureClass, RetryPolicy
from tests.support.crashing_store import CrashingStore
from tests.support.drill import Drill, names
from tests.support.engine_world import failed, keys, ok, possible, spec, story
from tests.support.world import SECOND, TOOLS


class Machine:
    """A store and an executor that outlive the orchestrator."""

    def __init__(self) -> None:
        self.store = MemoryStore(ProtobufEventCodec())
        self.drill = Drill()

    @asynccontextmanager
    async def start(self) -> AsyncGenerator[Drill]:
        async with self.drill.start(CrashingStore(self.store)):
            yield self.drill

    async def pass_time(self, seconds: float) -> None:
        await self.drill.settle()
        await self.drill.world.advance(seconds)
        await self.drill.settle()

    async def states(self, batch_id: str) -> dict[str, str]:
        return names(await self.drill.proposals(batch_id))


@pytest.fixture
def machine() -> Machine:
    return Machine()


async def test_a_backoff_goes_on_to_its_time_with_the_next_attempt(machine: Machine) -> None:
    async with machine.start() as drill:
        batch_id = await drill.submit(spec("read", "a", retry=RetryPolicy(2, SECOND, SECOND)))
        await drill.settle()
        drill.replica.end(drill.replica.held[0], failed(retry_after=100 * SECOND))
        await machine.pass_time(40)
    drill.clock.advance(20)
    async with machine.start() as drill:
        await machine.pass_time(39)
        assert drill.replica.held == []
        await machine.pass_time(1)
        assert keys(drill.replica.held) == ["a/2"]
        drill.replica.end(drill.replica.held[0], failed())
        await machine.pass_time(100)
        assert await machine.states(batch_id) == {"a": "FAILED"}, "the policy's count stands too"


async def test_deadlines_hold(machine: Machine) -> None:
    async with machine.start() as drill:
        batch_id = await drill.submit(
            spec("read", "a"), spec("pay", "b", approval_deadline=100 * SECOND), deadline=200 * SECOND
        )
        await machine.pass_time(50)
    async with machine.start() as drill:
        await machine.pass_time(49)
        assert (await machine.states(batch_id))["b"] == "PROPOSED"
        await machine.pass_time(1)
        assert (await machine.states(batch_id))["b"] == "EXPIRED"
        await machine.pass_time(99)
        assert (await machine.states(batch_id))["a"] == "RUNNING"
        await machine.pass_time(1)
        assert (await machine.states(batch_id))["a"] == "CANCELLED"


async def test_deadlines_go_by_the_time_of_day_while_nobody_runs(machine: Machine) -> None:
    """As the machine has it: time that passed, or a clock that was set."""
    async with machine.start() as drill:
        batch_id = await drill.submit(spec("read", "a"), spec("pay", "b", approval_deadline=100 * SECOND))
        await machine.pass_time(50)
    machine.drill.clock.advance(49)
    async with machine.start():
        await machine.pass_time(0.5)
        assert (await machine.states(batch_id))["b"] == "PROPOSED"
    machine.drill.clock.advance(1)
    async with machine.start():
        await machine.pass_time(0)
        assert (await machine.states(batch_id))["b"] == "EXPIRED"


async def test_a_deadline_that_stands_still_goes_on_standing_still(machine: Machine) -> None:
    async with machine.start() as drill:
        batch_id = await drill.submit(spec("pay", "a"), deadline=10 * SECOND)
    async with machine.start() as drill:
        await machine.pass_time(1000)
        await drill.decide(batch_id, "a")
        await machine.pass_time(9)
        assert await machine.states(batch_id) == {"a": "RUNNING"}
        await machine.pass_time(1)
        assert await machine.states(batch_id) == {"a": "CANCELLED"}


async def test_what_ran_goes_by_its_effect(machine: Machine) -> None:
    async with machine.start() as drill:
        batch_id = await drill.submit(
            spec("read", "r", retry=RetryPolicy(1)), spec("write", "w", retry=RetryPolicy(1)), spec("send", "s")
        )
        await drill.settle()
        assert keys(drill.replica.held) == ["r/1", "w/1", "s/1"]
    async with machine.start() as drill:
        assert keys(drill.replica.held) == ["s/1", "r/2", "w/2"], "what nobody waits for was let go"
        sent = {call.id.partition("/")[2]: call.idempotency_key for call in drill.replica.received}
        assert sent["w/1"] == sent["w/2"]
        for call_id in drill.replica.held:
            drill.replica.end(call_id, ok(f'"{call_id.rpartition("/")[2]}"'))
        await drill.settle()
        results = {proposal.key: proposal.result for proposal in await drill.proposals(batch_id)}
        assert results == {"r": '"2"', "w": '"2"', "s": '"1"'}


async def test_what_was_sent_goes_again_with_its_arguments_whatever_is_tried_again_above_it(machine: Machine) -> None:
    arguments = '{"x":{"$from":"a","default":0}}'
    async with machine.start() as drill:
        batch_id = await drill.submit(spec("read", "a"), spec("write", "w", "a?", arguments=arguments))
        await drill.settle()
        drill.replica.end(drill.replica.held[0], failed(FailureClass.PERMANENT))
        await drill.settle()
        assert keys(drill.replica.held) == ["w/1"]
        await drill.retry(batch_id)
        await drill.settle()
    drill.replica.cut()
    for _ in range(2):  # nobody has room for it between the two
        drill.replica.grant(0)
        async with machine.start() as drill:
            await drill.settle()
            assert await machine.states(batch_id) == {"a": "APPROVED", "w": "APPROVED"}
    async with machine.start() as drill:
        drill.replica.grant(100)
        await drill.settle()
        assert keys(drill.replica.held) == ["a/3", "w/2"]
        assert {call.arguments for call in drill.replica.received if "/w/" in call.id} == {'{"x":0}'}
        await drill.work()
        assert await machine.states(batch_id) == {"a": "SUCCEEDED", "w": "SUCCEEDED"}


async def test_a_later_start_of_the_executor_says_at_once_that_it_did_not_survive_the_call(machine: Machine) -> None:
    async with machine.start() as drill:
        batch_id = await drill.submit(spec("send", "s"), spec("read", "r", "s"))
        await drill.settle()
    drill.tools.die()
    async with machine.start() as drill:
        assert await machine.states(batch_id) == {"s": "OUTCOME_UNKNOWN", "r": "APPROVED"}
        assert drill.replica.received == []


async def test_another_executor_leaves_a_side_effect_unknown(machine: Machine) -> None:
    async with machine.start() as drill:
        batch_id = await drill.submit(spec("send", "s"), spec("read", "r", "s"))
        await drill.settle()
    drill.replica.cut()
    drill.tools.replica = drill.tools.executors.add(TOOLS, executor_id="another")
    async with machine.start() as drill:
        await machine.pass_time(59)
        assert await machine.states(batch_id) == {"s": "RUNNING", "r": "APPROVED"}
        await machine.pass_time(1)
        assert await machine.states(batch_id) == {"s": "OUTCOME_UNKNOWN", "r": "APPROVED"}
    async with machine.start() as drill:
        await machine.pass_time(120)
        assert await machine.states(batch_id) == {"s": "OUTCOME_UNKNOWN", "r": "APPROVED"}
        assert drill.replica.received == []
        assert (await drill.world.batch(batch_id)).state.name == "BLOCKED"


async def test_a_late_outcome_settles_an_unknown_one_after_a_start_too(machine: Machine) -> None:
    async with machine.start() as drill:
        batch_id = await drill.submit(spec("send", "s"))
        await drill.settle()
        drill.replica.cut()
        await machine.pass_time(60)
        assert await machine.states(batch_id) == {"s": "OUTCOME_UNKNOWN"}
    drill.replica.end(drill.replica.held[0], ok())
    async with machine.start() as drill:
        assert await machine.states(batch_id) == {"s": "SUCCEEDED"}


async def test_a_cancel_in_the_middle_is_told_again(machine: Machine) -> None:
    machine.drill.replica.stubborn = True
    async with machine.start() as drill:
        batch_id = await drill.submit(spec("read", "r"), spec("write", "w"), spec("send", "s"))
        await drill.settle()
        await drill.cancel(batch_id)
        drill.replica.cancelled.clear()
    async with machine.start() as drill:
        assert await machine.states(batch_id) == dict.fromkeys("rws", "RUNNING")
        assert sorted(keys(drill.replica.cancelled)) == ["r/1", "s/1", "w/1"]
        drill.replica.end(drill.replica.held[0], ok())
        drill.replica.end(drill.replica.held[0], possible(FailureClass.CANCELLED))
        await drill.settle()
        assert await machine.states(batch_id) == {"r": "SUCCEEDED", "w": "CANCELLED", "s": "RUNNING"}
        drill.replica.end(drill.replica.held[0], ok())
        await drill.settle()
        assert keys([call.id for call in drill.replica.received]) == ["r/1", "w/1", "s/1"], "nothing runs again"
        assert (await drill.world.batch(batch_id)).state.name == "PARTIAL"


async def test_a_cancel_that_nobody_answers_ends_with_its_grace_after_a_start_too(machine: Machine) -> None:
    machine.drill.replica.stubborn = True
    async with machine.start() as drill:
        batch_id = await drill.submit(spec("read", "r"), spec("write", "w"), spec("send", "s"))
        await drill.settle()
        await drill.cancel(batch_id)
        await machine.pass_time(4)
    async with machine.start() as drill:
        await machine.pass_time(4)
        assert await machine.states(batch_id) == dict.fromkeys("rws", "RUNNING")
        await machine.pass_time(1)
        assert await machine.states(batch_id) == {"r": "CANCELLED", "w": "CANCELLED", "s": "OUTCOME_UNKNOWN"}
        assert (await drill.world.proposal(f"{batch_id}/s")).attempts[0].may_still_run


async def test_an_approval_stands(machine: Machine) -> None:
    async with machine.start() as drill:
        arguments = '{"x":{"$from":"p"}}'
        batch_id = await drill.submit(spec("read", "p"), spec("pay", "a", arguments=arguments), spec("pay", "b", "a"))
        await drill.work()
        await drill.decide(batch_id, "b")
    async with machine.start() as drill:
        await drill.decide(batch_id, "a")
        await drill.work()
        assert await machine.states(batch_id) == dict.fromkeys("pab", "SUCCEEDED")
        assert "proposal_bound" in await story(drill.world, batch_id, "a")


async def test_one_in_flight_stays_one(machine: Machine) -> None:
    async with machine.start() as drill:
        batch_id = await drill.submit(*[spec("write", key) for key in "abc"], max_in_flight=1)
        await drill.settle()
    async with machine.start() as drill:
        order: list[str] = []
        for _ in range(6):
            assert len(drill.replica.held) <= 1
            for call_id in drill.replica.held:
                order.append(keys([call_id])[0])
                drill.replica.end(call_id, ok())
            await drill.settle()
        assert order == ["a/2", "b/1", "c/1"]
        assert (await drill.world.batch(batch_id)).state.name == "SUCCEEDED"
