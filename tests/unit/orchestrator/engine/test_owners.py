"""Several orchestrators on one store: whose a batch is, who goes on with it, and who may not."""

import asyncio

import pytest

from orchestrator_svc.application.engine.elsewhere import OwnedElsewhereError
from shared.kernel.errors import UnavailableError
from shared.kernel.tasks import Supervisor
from tests.support.companions import PERIOD, Company, joined, lapsed, settled
from tests.support.engine_world import keys, spec, story
from tests.support.world import CALLER


async def test_what_waits_for_people_is_nobodys_and_goes_on_with_whoever_is_told() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one) as first, joined(other, executor_id="executor-2") as second:
        batch_id = await one.run(spec("pay", "a"), spec("pay", "b"))
        assert company.whose(batch_id) == ""
        await other.approve(f"{batch_id}/a")
        assert company.whose(batch_id) == other.incarnation.id
        second.release()
        await other.settle()
        assert company.whose(batch_id) == ""
        await one.approve(f"{batch_id}/b")
        first.release()
        await one.settle()
        assert (await one.states(batch_id)) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}
        assert (keys([c.id for c in first.received]), keys([c.id for c in second.received])) == (["b/1"], ["a/1"])


async def test_calls_carry_the_epoch_of_their_owner() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one) as first, joined(other, executor_id="executor-2") as second:
        batch_id = await one.run(*[spec("pay", key) for key in "abc"])
        for world, replica, key in ((one, first, "a"), (other, second, "b"), (one, first, "c")):
            await world.approve(f"{batch_id}/{key}")
            replica.release()
            await world.settle()
        tokens = [(call.origin.epoch, call.origin.incarnation) for call in (*first.received, *second.received)]
        assert tokens == [(1, one.incarnation.id), (3, one.incarnation.id), (2, other.incarnation.id)]


async def test_who_had_it_last_needs_not_take_it_again() -> None:
    company = Company()
    one = company.world()
    async with joined(one):
        batch_id = await one.run(spec("pay", "a"))
        await one.approve(f"{batch_id}/a")
        kept = company.held.find("default", batch_id)
        assert kept is not None
        assert kept.epoch == 1


async def test_one_that_runs_is_its_owners() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one), joined(other):
        batch_id = await one.run(spec("read", "a"))
        with pytest.raises(OwnedElsewhereError) as elsewhere:
            async with other.live.pin("default", batch_id):
                pass
        assert elsewhere.value.incarnation == one.incarnation.id


async def test_a_copy_that_others_have_moved_on_is_not_worked_on() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one), joined(other) as second:
        batch_id = await one.run(spec("pay", "a"), spec("pay", "b"))
        await other.approve(f"{batch_id}/a")
        second.release()
        await other.settle()
        stale = one.live.get(batch_id)
        async with one.live.pin("default", batch_id) as batch:
            assert batch is not stale
            assert batch.by_key["a"].state.name == "SUCCEEDED"


async def test_a_timer_of_a_stale_copy_changes_nothing_and_the_batch_is_not_abandoned() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one) as first, joined(other):
        batch_id = await one.run(spec("pay", "a"), spec("pay", "b"), spec("read", "c", "b?"))
        await other.approve(f"{batch_id}/a")
        company.clock.advance(86_400)
        await one.owner.renew()
        await one.advance(0)
        assert one.live.get(batch_id) is None
        assert (await one.states(batch_id)) == {"a": "RUNNING", "b": "PROPOSED", "c": "APPROVED"}
        await other.owner.renew()
        await other.advance(0)
        assert (await one.states(batch_id)) == {"a": "RUNNING", "b": "EXPIRED", "c": "RUNNING"}
        assert await story(one, batch_id, "b") == ["proposal_added", "decision_requested", "proposal_expired"]
        assert first.received == []


async def test_one_that_is_nobodys_again_is_not_abandoned_for_a_stale_copy() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one), joined(other) as second:
        batch_id = await one.run(spec("pay", "a"), spec("pay", "b"))
        await other.approve(f"{batch_id}/a")
        second.release()
        await other.settle()
        await one.advance(86_400)
        await settled(one)
        assert (await one.states(batch_id)) == {"a": "SUCCEEDED", "b": "PROPOSED"}


async def test_another_goes_on_with_what_a_dead_one_had() -> None:
    company = Company()
    one = company.world()
    async with joined(one) as replica:
        batch_id = await one.run(spec("send", "a"), spec("write", "b"), spec("read", "c"), spec("read", "d", "a"))
        waiting = await one.run(spec("pay"))
    other = company.world(one.executors)
    async with joined(other, known=replica):
        await company.watch_leases(other, periods=0.9)
        assert company.whose(batch_id) == one.incarnation.id
        await company.watch_leases(other, periods=0.7)
        assert company.whose(batch_id) == other.incarnation.id
        assert company.whose(waiting) == ""
        replica.release()
        await other.settle()
        replica.release()
        await other.settle()
        assert set((await other.states(batch_id)).values()) == {"SUCCEEDED"}
        assert keys([c.id for c in replica.received if c.tool.name == "send"]) == ["a/1"], "it is asked about"


async def test_its_own_lease_is_renewed_however_long_it_takes_to_end_another() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one), joined(other):
        ending = asyncio.Event()

        async def never(lease: object) -> bool:
            ending.set()
            return await asyncio.Event().wait()

        other.store.supersede = never  # type: ignore[method-assign, assignment]
        async with asyncio.timeout(10):
            await company.watch_leases(other, periods=2)
        assert ending.is_set()
        await company.watch_leases(one, other, periods=2)
        assert not other.engine.problems()


async def test_one_that_lives_keeps_what_it_has() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one), joined(other):
        batch_id = await one.run(spec("read", "a"))
        await company.watch_leases(one, other, periods=4)
        assert company.whose(batch_id) == one.incarnation.id
        assert not one.taken_over


async def test_one_that_was_taken_for_dead_writes_nothing_and_ends() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one, slots=1) as first, joined(other):
        batch_id = await one.run(spec("read", "a"), spec("read", "b"))
        await company.watch_leases(other, periods=1.5)
        head = (await other.batch(batch_id)).head
        first.release()
        await one.settle()
        assert keys([call.id for call in first.received]) == ["a/1"]
        assert (await other.batch(batch_id)).head == head
        await one.owner.renew()
        assert one.taken_over
        await one.owner.renew()


async def test_nothing_is_dispatched_beyond_three_quarters_of_a_period() -> None:
    company = Company()
    one = company.world()
    async with joined(one) as replica:
        batch_id = await one.run(spec("read", "a", "p?"), spec("pay", "p"))
        await one.advance(0.7 * PERIOD)
        assert not one.engine.problems()
        await one.advance(0.1 * PERIOD)
        assert "lease" in one.engine.problems()[0]
        reads = await one.run(spec("read", "r"), spec("send", "s"))
        await one.approve(f"{batch_id}/p")
        assert (await one.states(batch_id), replica.received) == ({"a": "APPROVED", "p": "APPROVED"}, [])
        await one.owner.renew()
        await one.settle()
        assert not one.engine.problems()
        assert sorted(keys([call.id for call in replica.received])) == ["p/1", "r/1", "s/1"]
        assert company.whose(reads) == one.incarnation.id


async def test_what_is_recorded_when_the_lease_has_lapsed_is_sent_once_it_is_renewed() -> None:
    company = Company()
    one = company.world()
    async with lapsed(one, company) as (replica, _):
        await one.owner.renew()
        await one.settle()
        assert keys([call.id for call in replica.received]) == ["s/1"]


async def test_nor_is_it_then_where_it_was_cancelled_meanwhile() -> None:
    company = Company()
    one = company.world()
    async with lapsed(one, company) as (replica, batch_id):
        await one.cancel.batch(CALLER, batch_id, "enough", None)
        assert (await one.states(batch_id)) == {"s": "CANCELLED"}
        await one.owner.renew()
        await one.settle()
        assert (replica.received, replica.cancelled) == ([], [])


async def test_taken_for_a_command_that_changed_nothing_it_is_let_go_again() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one), joined(other):
        batch_id = await one.run(spec("pay", "a"))
        async with other.live.pin("default", batch_id):
            pass
        await other.settle()
        assert company.whose(batch_id) == other.incarnation.id
        await other.owner.let_go()
        assert company.whose(batch_id) == ""
        kept = company.held.find("default", batch_id)
        assert kept is not None
        assert kept.wake_time == (await other.proposal(f"{batch_id}/a")).expire_time


async def test_whoever_goes_hands_over_at_once_what_does_not_run() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one, slots=1) as first, joined(other, executor_id="executor-2") as second:
        running = await one.run(spec("read", "a"), spec("read", "b"))
        queued = await one.run(spec("read", "c"))
        one.engine.drain()
        async with Supervisor() as tasks:
            left = tasks.start(one.owner.leave(), "leaving")
            await settled(one, other)
            assert company.whose(queued) == other.incarnation.id
            assert company.whose(running) == one.incarnation.id
            assert not left.done()
            first.release()
            await settled(one, other)
            assert company.whose(running) == other.incarnation.id
            assert keys([call.id for call in second.received]) == ["c/1", "b/1"]
            assert left.done()
        await one.owner.end()
        await one.owner.renew()
        assert not one.taken_over, "it ended by itself"


async def test_whoever_goes_takes_nothing_any_more() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one), joined(other):
        batch_id = await other.run(spec("pay", "a"))
        own = await one.run(spec("pay", "b"))
        one.engine.drain()
        for each in (batch_id, own):
            with pytest.raises(UnavailableError, match="DRAINING"):
                async with one.live.pin("default", each):
                    pass
        await one.owner.leave()
        await one.advance(86_401)
        assert {*(await one.states(batch_id)).values(), *(await one.states(own)).values()} == {"PROPOSED"}
        await other.advance(0)
        assert {*(await one.states(batch_id)).values(), *(await one.states(own)).values()} == {"EXPIRED"}
