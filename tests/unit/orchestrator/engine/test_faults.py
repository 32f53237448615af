"""A fault inside one batch ends that batch, with events that say so; the loop goes on."""

import asyncio
from collections.abc import Callable

import pytest

from orchestrator_svc.application.engine import dispatching, faults
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.events import BatchClosed
from orchestrator_svc.domain.firing import abandon
from orchestrator_svc.domain.proposal import Proposal
from shared.kernel.errors import UnavailableError
from tests.support.engine_world import events, later, ok, spec, started
from tests.support.held_store import HeldStore
from tests.support.world import CALLER, World


def boom(batch: Batch, changes: Changes) -> None:
    """Leaves memory half changed."""
    batch.open = False
    changes.emit_batch(BatchClosed("nobody"))
    raise ZeroDivisionError


async def check_ended(world: World, batch_id: str) -> None:
    assert (await world.batch(batch_id)).state.finished
    last = (await events(world, batch_id))[-2:]
    assert [event.WhichOneof("detail") for event in last] == ["proposal_failed", "batch_finished"]
    assert last[0].proposal_failed.failure.reason == "ORCHESTRATOR_FAULT"


async def check_alive(world: World) -> None:
    batch_id = await world.run(spec("read", "neighbour"))
    assert (await world.states(batch_id)) == {"neighbour": "RUNNING"}


async def test_in_a_command() -> None:
    world = World()
    async with started(world):
        batch_id = await world.run(spec("read", "a"), spec("pay", "b"))
        async with world.live.pin("default", batch_id) as batch:
            with pytest.raises(UnavailableError):
                await world.engine.execute(batch, boom)
        await world.settle()
        await check_ended(world, batch_id)
        await check_alive(world)


async def test_a_side_effect_under_way_stays_unknown() -> None:
    world = World()
    async with started(world):
        batch_id = await world.run(spec("send", "a"), spec("write", "b"), open=True)
        async with world.live.pin("default", batch_id) as batch:
            with pytest.raises(UnavailableError):
                await world.engine.execute(batch, boom)
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN", "b": "FAILED"}
        assert (await world.batch(batch_id)).state.name == "BLOCKED"


@pytest.mark.parametrize("shortage", [MemoryError(), OSError(24, "Too many open files")])
async def test_a_shortage_is_none(shortage: Exception) -> None:
    def short(batch: Batch, changes: Changes) -> None:
        batch.open = False
        changes.emit_batch(BatchClosed("nobody"))
        raise shortage

    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("pay", "b"), spec("read", "c"), open=True)
        async with world.live.pin("default", batch_id) as batch:
            with pytest.raises(UnavailableError):
                await world.engine.execute(batch, short)
        await _until_taken_anew(world, batch)
        assert (await world.batch(batch_id)).open
        assert (await world.states(batch_id)) == {"a": "RUNNING", "b": "PROPOSED", "c": "RUNNING"}
        for call_id in replica.held:
            replica.end(call_id, ok())
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "PROPOSED", "c": "SUCCEEDED"}
        assert [call.id for call in replica.received if "/a/" in call.id] == [f"{batch_id}/a/1"]


async def test_a_shortage_that_lasts_is_told_of_and_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(batch: Batch, changes: Changes) -> None:
        raise MemoryError

    monkeypatch.setattr(faults, "PAUSE", 0.001)
    world = World()
    async with started(world):
        batch_id = await world.run(spec("pay", "a"))
        told = f"batch {batch_id} is stuck: MemoryError(); it is tried again"
        for tries in range(faults.MAX_TRIES + 1):
            async with world.live.pin("default", batch_id) as batch:
                with pytest.raises(UnavailableError):
                    await world.engine.execute(batch, short)
            assert world.engine.problems() == [told] * (tries == faults.MAX_TRIES)
            await _until_taken_anew(world, batch)
        await world.cancel.batch(CALLER, batch_id, "", None)
        assert world.engine.problems() == []
        assert (await world.states(batch_id)) == {"a": "CANCELLED"}


async def test_shortages_that_are_far_between_are_each_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(batch: Batch, changes: Changes) -> None:
        raise MemoryError

    monkeypatch.setattr(faults, "PAUSE", 0.001)
    monkeypatch.setattr(faults, "FORGOTTEN_AFTER", 0.0)
    world = World()
    async with started(world):
        batch_id = await world.run(spec("pay", "a"))
        for _ in range(2 * faults.MAX_TRIES):
            async with world.live.pin("default", batch_id) as batch:
                with pytest.raises(UnavailableError):
                    await world.engine.execute(batch, short)
            assert world.engine.problems() == []
            await _until_taken_anew(world, batch)


async def _until_taken_anew(world: World, batch: Batch) -> None:
    while world.live.get(batch.id) in (None, batch):  # noqa: ASYNC110 - until it is
        await asyncio.sleep(0.001)
    await world.settle()


async def test_in_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    async with started(world) as replica:
        poisoned = await world.run(spec("read", "a"), spec("pay", "b"))
        neighbour = await world.run(spec("read", "c"))
        real = Batch.ended

        def ended(batch: Batch, changes: Changes, proposal: Proposal) -> None:
            if batch.id == poisoned and proposal.state.name == "SUCCEEDED":
                raise ZeroDivisionError
            real(batch, changes, proposal)

        monkeypatch.setattr(Batch, "ended", ended)
        replica.release()
        await world.settle()
        await check_ended(world, poisoned)
        assert (await world.states(neighbour)) == {"c": "SUCCEEDED"}
        await check_alive(world)


async def test_in_a_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    async with started(world):
        batch_id = await world.run(spec("note", "a"), spec("pay", "b"))
        real = Batch.move

        def move(batch: Batch, changes: Changes, proposal: Proposal, to: object) -> None:
            if to is type(proposal.state).EXPIRED:
                raise ZeroDivisionError
            real(batch, changes, proposal, to)  # type: ignore[arg-type]

        monkeypatch.setattr(Batch, "move", move)
        await later(world, 1800)
        await check_ended(world, batch_id)
        await check_alive(world)


async def test_when_it_is_concluded(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"), spec("pay", "b"))
        real: Callable[[Batch, Changes], Changes] = Batch.conclude
        once = [batch_id]

        def conclude(batch: Batch, changes: Changes) -> Changes:
            if batch.id in once:
                once.clear()
                raise ZeroDivisionError
            return real(batch, changes)

        monkeypatch.setattr(Batch, "conclude", conclude)
        replica.release()
        await world.settle()
        await check_ended(world, batch_id)
        await check_alive(world)


@pytest.mark.parametrize("tool", ["read", "send"])
async def test_in_dispatch_nothing_more_of_it_is_sent_and_its_slots_are_free(
    monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    world = World()
    async with started(world, slots=6) as replica:
        real = dispatching.dispatch

        def dispatch(batch: Batch, changes: Changes, proposal: Proposal, *rest: object) -> None:
            real(batch, changes, proposal, *rest)  # type: ignore[arg-type]
            if proposal.key == "c":
                raise ZeroDivisionError

        monkeypatch.setattr(dispatching, "dispatch", dispatch)
        replica.grant(0)
        batch_id = await world.run(*[spec(tool, key) for key in "abcdefghi"])
        replica.grant(6)
        await world.settle()
        assert replica.received == []
        assert {*(await world.states(batch_id)).values()} == {"FAILED"}
        await world.run(*[spec(tool, key) for key in "mnopqr"])
        assert len(replica.held) == 6
        replica.release()
        await world.settle()
        await check_alive(world)


async def test_in_a_submission_nothing_of_it_is_on_record_and_its_slots_are_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    async with started(world, slots=3) as replica:
        real = dispatching.dispatch

        def dispatch(batch: Batch, changes: Changes, proposal: Proposal, *rest: object) -> None:
            real(batch, changes, proposal, *rest)  # type: ignore[arg-type]
            if proposal.key == "c":
                raise ZeroDivisionError

        monkeypatch.setattr(dispatching, "dispatch", dispatch)
        with pytest.raises(UnavailableError, match="BATCH_LOST"):
            await world.run(*[spec("read", key) for key in "abc"])
        await world.settle()
        assert replica.received == []
        assert len(world.live) == 0
        await world.run(*[spec("read", key) for key in "mno"])
        assert len(replica.held) == 3
        replica.release()
        await world.settle()
        await check_alive(world)


async def test_when_it_is_loaded_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    first = World()
    async with started(first):
        poisoned = await first.run(spec("read", "a"))
        sound = await first.run(spec("read", "b"))
    real = World(first.store, first.clock)
    monkeypatch.setattr(
        "orchestrator_svc.application.engine.resuming.recover",
        _raising_for(poisoned, "orchestrator_svc.domain.recovering"),
    )
    async with started(real) as replica:
        await real.settle()
        assert (await real.states(poisoned)) == {"a": "FAILED"}
        replica.release()
        await real.settle()
        assert (await real.states(sound)) == {"b": "SUCCEEDED"}


def _raising_for(batch_id: str, module: str) -> Callable[[Batch, Changes, int], list[Proposal]]:
    real = __import__(module, fromlist=["recover"]).recover

    def recover(batch: Batch, changes: Changes, grace: int) -> list[Proposal]:
        if batch.id == batch_id:
            raise ZeroDivisionError
        return real(batch, changes, grace)

    return recover


async def test_it_is_ended_when_the_store_is_back() -> None:
    world = World()
    store = HeldStore(world.store)
    world = World(store.port, world.clock)
    async with started(world):
        batch_id = await world.run(spec("read", "a"))
        store.away = True
        async with world.live.pin("default", batch_id) as batch:
            with pytest.raises(UnavailableError):
                await world.engine.execute(batch, boom)
        await world.settle()
        store.away = False
        while not (await world.batch(batch_id)).state.finished:
            await world.settle()
        await check_ended(world, batch_id)


async def test_one_that_cannot_even_be_ended_is_given_up_and_the_loop_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"))
        tries: list[str] = []

        def never(batch: Batch, changes: Changes, message: str) -> None:
            tries.append(batch.id)
            raise ZeroDivisionError

        monkeypatch.setattr("orchestrator_svc.application.engine.faults.abandon", never)
        monkeypatch.setattr("orchestrator_svc.application.engine.faults.PAUSE", 0)
        async with world.live.pin("default", batch_id) as batch:
            with pytest.raises(UnavailableError):
                await world.engine.execute(batch, boom)
        for _ in range(20):
            await world.settle()
        assert 1 <= len(tries) <= 10
        monkeypatch.setattr("orchestrator_svc.application.engine.faults.abandon", abandon)
        await check_alive(world)
        replica.end(replica.held[-1], ok())
        await world.settle()
        await world.cancel.batch(CALLER, batch_id, "", None)
