"""What has to be on record before something is sent, and what need not."""

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.application.decide import DecisionSpec
from orchestrator_svc.domain.proposal import ProposalSpec, Verdict
from orchestrator_svc.domain.states import OnInvalid
from orchestrator_svc.domain.tool import Tier
from shared.kernel.errors import UnavailableError
from shared.kernel.tasks import Supervisor
from tests.support.companions import Company, joined, settled
from tests.support.engine_world import events, keys, ok, spec, started
from tests.support.held_store import HeldStore
from tests.support.world import CALLER, World


@pytest.fixture
def store() -> HeldStore:
    return HeldStore(MemoryStore(ProtobufEventCodec()))


@pytest.fixture
def world(store: HeldStore) -> World:
    return World(store.port)


async def test_a_read_goes_out_before_its_record(world: World, store: HeldStore) -> None:
    async with started(world) as replica:
        await world.run(spec("read", "a"), spec("read", "b", "a"))
        assert keys(replica.held) == ["a/1"]
        store.hold()
        replica.end(replica.held[0], ok())
        await world.settle()
        assert keys(replica.held) == ["b/1"], "a dependent starts on the result in memory"
        assert store.waiting == 1


@pytest.mark.parametrize(
    "second",
    [
        spec("write", "b", "a"),
        spec("send", "b", "a"),
        # Else another result might come after a stop, and with it the same call id with other arguments.
        spec("read", "b", arguments='{"x":{"$from":"a"}}'),
    ],
    ids=["write", "send", "read_of_a_result"],
)
async def test_an_effect_and_what_is_bound_to_a_result_go_out_after_their_record(
    world: World, store: HeldStore, second: ProposalSpec
) -> None:
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"), second)
        store.hold()
        replica.end(replica.held[0], ok())
        await world.settle()
        assert replica.held == []
        store.release()
        await world.settle()
        assert keys(replica.held) == ["b/1"]
        attempt = (await world.proposal(f"{batch_id}/b")).attempts[0]
        assert (attempt.executor_id, attempt.boot_id) == replica.target, "the record names the executor chosen"


async def test_nothing_of_a_submission_goes_out_before_it_is_committed(world: World, store: HeldStore) -> None:
    async with started(world) as replica, Supervisor() as tasks:
        store.hold()
        tasks.start(world.run(spec("read", "a")), "submit")
        await world.settle()
        assert replica.received == []
        store.release()
        await world.settle()
        assert keys(replica.held) == ["a/1"]


async def test_an_approval_is_committed_before_its_read_goes_out(world: World, store: HeldStore) -> None:
    async with started(world) as replica, Supervisor() as tasks:
        batch_id = await world.run(spec("read", "a", tier=Tier.HARD))
        store.hold()
        tasks.start(world.approve(f"{batch_id}/a"), "approve")
        await world.settle()
        assert store.waiting == 1
        assert replica.received == []
        store.release()
        await world.settle()
        assert keys(replica.held) == ["a/1"]


async def test_a_result_does_not_send_what_an_uncommitted_approval_let_go(world: World, store: HeldStore) -> None:
    async with started(world) as replica, Supervisor() as tasks:
        batch_id = await world.run(spec("read", "a"), spec("read", "b", "a", tier=Tier.HARD))
        digest = (await world.proposal(f"{batch_id}/b")).decidable_digest
        store.hold()
        decision = DecisionSpec(f"{batch_id}/b", Verdict.APPROVE, digest=digest)
        tasks.start(world.decide.decide(CALLER, [decision], False, None), "approve")
        await world.settle()
        replica.end(replica.held[0], ok())
        await world.settle()
        assert keys([call.id for call in replica.received]) == ["a/1"]
        store.release()
        await world.settle()
        assert keys(replica.held) == ["b/1"]


async def test_a_result_does_not_send_what_an_uncommitted_addition_brought(world: World, store: HeldStore) -> None:
    async with started(world) as replica, Supervisor() as tasks:
        batch_id = await world.run(spec("read", "a"), open=True)
        store.hold()
        added = world.add.add(CALLER, batch_id, [spec("read", "b", "a")], OnInvalid.REFUSE, False, None)
        tasks.start(added, "add")
        await world.settle()
        replica.end(replica.held[0], ok())
        await world.settle()
        assert replica.held == []
        store.release()
        await world.settle()
        assert keys(replica.held) == ["b/1"]


async def test_a_command_on_a_copy_that_another_takes_meanwhile_sends_nothing_of_it() -> None:
    company = Company()
    other, store = company.world(), HeldStore(company.world().store)
    one = World(store.port, company.clock, bus=company.bus)
    async with joined(one) as first, joined(other) as second, Supervisor() as tasks:
        batch_id = await one.run(spec("pay", "a"), spec("read", "b", "a?"))
        await one.settle()
        assert one.live.may_be_taken(batch_id)
        store.hold()
        asked = tasks.start(one.cancel.proposals(CALLER, [f"{batch_id}/a"], "", None), "cancels")
        await one.settle()
        assert store.waiting
        assert first.received == []
        await other.approve(f"{batch_id}/a")
        store.release()
        await asked
        await settled(one, other)
        assert company.whose(batch_id) == other.incarnation.id
        assert (first.received, [call.id for call in second.received[1:]]) == ([], [f"{batch_id}/b/1"])
        assert (await other.states(batch_id)) == {"a": "CANCELLED", "b": "RUNNING"}


async def test_what_a_command_on_a_copy_lets_go_is_sent_once_it_is_recorded() -> None:
    company = Company()
    one = company.world()
    async with joined(one) as first:
        batch_id = await one.run(spec("pay", "a"), spec("read", "b", "a?"))
        await one.settle()
        assert one.live.may_be_taken(batch_id)
        await one.cancel.proposals(CALLER, [f"{batch_id}/a"], "", None)
        await one.settle()
        assert [call.id for call in first.received] == [f"{batch_id}/b/1"]


async def test_while_the_store_is_away_batches_wait_and_submissions_are_refused(world: World, store: HeldStore) -> None:
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"), spec("write", "b", "a"), spec("read", "c", "a"))
        store.away = True
        replica.end(replica.held[0], ok())
        await world.settle()
        assert keys(replica.held) == ["c/1"], "reads go on"
        with pytest.raises(UnavailableError):
            await world.run(spec("read"))
        store.away = False
        while len(replica.held) < 2:
            await world.settle()
        assert keys(replica.held) == ["c/1", "b/1"]
        replica.release()
        await world.settle()
        assert (await world.batch(batch_id)).state.name == "SUCCEEDED"
        await events(world, batch_id)


async def test_one_that_cannot_be_written_ends_with_events_and_its_slots_are_free(
    world: World, store: HeldStore
) -> None:
    async with started(world, slots=1) as replica:
        batch_id = await world.run(spec("read", "a"), spec("send", "b", "a"), spec("write", "c", "a"))
        neighbour = await world.run(spec("write", "d"))
        taken: list[str] = []

        def spoil(write: object) -> bool:
            id_ = write.batch.id  # type: ignore[attr-defined]
            if id_ == batch_id and not taken:
                taken.append(id_)
                return True
            return False

        store.spoil = spoil
        replica.end(replica.held[0], ok())
        await world.settle()
        replica.release()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "FAILED", "b": "FAILED", "c": "FAILED"}
        assert (await world.states(neighbour)) == {"d": "SUCCEEDED"}
        assert (await events(world, batch_id))[-1].WhichOneof("detail") == "batch_finished"
