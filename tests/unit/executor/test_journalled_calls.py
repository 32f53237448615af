"""A call of a NON_IDEMPOTENT tool: on disk before it starts, its outcome before it goes out; in whatever order things
happen."""

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from executor_svc.adapters.journal.memory import MemoryJournal
from executor_svc.application.attaching import Ask
from executor_svc.application.outbox import AttachState
from executor_svc.domain.journalled import Standing
from executor_svc.domain.outcome import FailureClass, KnownEffect, Outcome
from executor_svc.domain.tool import Effect
from executor_svc.ports.journal import Entries
from executor_svc.ports.tool import RunningCall
from shared.kernel.clock import SystemClock
from tests.support.held_journal import FULL, Bench, GatedTool, started


@pytest.fixture
def memory() -> MemoryJournal:
    return MemoryJournal(SystemClock())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - the journal's writer tells nobody
        await asyncio.sleep(0.01)


async def held(bench: Bench) -> None:
    """Until something is to be written, and does not get through."""
    await bench.journal.arrived.wait()


async def test_it_starts_once_that_is_on_disk(memory: MemoryJournal) -> None:
    async with started(memory) as bench:
        bench.journal.go.clear()
        call_id = bench.send("a")
        await held(bench)
        assert bench.tools["pay"].ran == []
        assert bench.accepted == []
        bench.journal.go.set()
        assert (await bench.outcome(call_id)).result == b'"done"'
        assert [call.call_id for call in bench.journal.writes[0].accepted] == [call_id]


async def test_its_outcome_goes_out_once_that_is_on_disk(memory: MemoryJournal) -> None:
    async with started(memory) as bench:
        bench.tools["pay"].gate.clear()
        call_id = bench.send("a")
        await bench.until(lambda: bench.tools["pay"].ran)
        bench.journal.go.clear()
        bench.journal.arrived.clear()
        bench.tools["pay"].gate.set()
        await held(bench)
        assert bench.outcomes == {}
        assert bench.executor.in_flight == 1, "and holds its slot"
        bench.journal.go.set()
        outcome = await bench.outcome(call_id)
        assert outcome.position == bench.executor.journal_position == 2


async def test_other_calls_take_no_write(memory: MemoryJournal) -> None:
    async with started(memory) as bench:
        bench.journal.go.clear()
        await bench.outcome(bench.send("a", "look"))
        bench.executor.acknowledge(["batch/a/1", "no such call"])
        await asyncio.sleep(0)
        assert not bench.journal.arrived.is_set()


@pytest.mark.parametrize("by", ["cancel", "drain"])
async def test_stopped_while_it_is_being_accepted_it_never_starts_and_that_is_on_disk(
    memory: MemoryJournal, by: str
) -> None:
    async with started(memory) as bench:
        bench.journal.go.clear()
        call_id = bench.send("a")
        await held(bench)
        if by == "cancel":
            bench.executor.cancel(call_id)
        else:
            draining = asyncio.get_running_loop().create_task(bench.executor.drain(0))
            await asyncio.sleep(0.1)
            assert not draining.done()
        assert bench.outcomes == {}
        bench.journal.go.set()
        failure = (await bench.outcome(call_id)).failure
        assert failure is not None
        assert failure.effect is KnownEffect.NONE
        assert (failure.failure_class is FailureClass.CANCELLED) == (by == "cancel")
        assert bench.tools["pay"].ran == []
        entry = (await memory.write(Entries(fenced=[call_id]))).held[call_id]
        assert entry.standing is Standing.ENDED
        assert entry.effect is KnownEffect.NONE


async def test_it_holds_its_slot_while_it_is_being_accepted(memory: MemoryJournal) -> None:
    async with started(memory, slots=1) as bench:
        bench.journal.go.clear()
        first = bench.send("a")
        refused = (await bench.outcome(bench.send("b"))).failure
        assert refused is not None
        assert refused.reason == "SLOTS_EXHAUSTED"
        bench.journal.go.set()
        await bench.outcome(first)
        await bench.outcome(bench.send("c"))


async def test_twice_while_it_is_being_accepted_it_runs_once(memory: MemoryJournal) -> None:
    async with started(memory) as bench:
        bench.journal.go.clear()
        call_id = bench.send("a")
        bench.send("a")
        bench.journal.go.set()
        await bench.until(lambda: sum(isinstance(entry, Outcome) for entry in bench.take()) == 2)
        assert bench.tools["pay"].ran == [call_id]


async def test_what_cannot_be_written_is_refused_before_any_effect_and_reads_go_on(memory: MemoryJournal) -> None:
    async with started(memory) as bench:
        memory.failing = FULL
        failure = (await bench.outcome(bench.send("a"))).failure
        assert failure is not None
        assert (failure.failure_class, failure.effect, failure.refused) == (
            FailureClass.UNAVAILABLE,
            KnownEffect.NONE,
            True,
        )
        assert failure.reason == "JOURNAL_UNAVAILABLE"
        assert bench.executor.journal_problem == "the disk is full"
        assert (await bench.outcome(bench.send("b", "look"))).failure is None
        memory.failing = None
        await until(lambda: not bench.executor.journal_problem)
        assert (await bench.outcome(bench.send("c"))).failure is None
        assert bench.tools["pay"].ran == ["batch/c/1"]


async def test_an_outcome_that_cannot_be_written_waits(memory: MemoryJournal) -> None:
    async with started(memory) as bench:
        bench.tools["pay"].gate.clear()
        call_id = bench.send("a")
        await bench.until(lambda: bench.tools["pay"].ran)
        memory.failing = FULL
        bench.tools["pay"].gate.set()
        await until(lambda: bench.executor.journal_problem)
        assert bench.outcomes == {}
        memory.failing = None
        assert (await bench.outcome(call_id)).result == b'"done"'


async def test_a_shutdown_does_not_wait_for_a_disk_that_stays_full(memory: MemoryJournal) -> None:
    async with started(memory) as bench:
        bench.tools["pay"].gate.clear()
        call_id = bench.send("a")
        await bench.until(lambda: bench.tools["pay"].ran)
        memory.failing = FULL
        bench.tools["pay"].gate.set()
        await bench.executor.drain(0)
        assert call_id not in bench.outcomes
        memory.failing = None


async def test_one_that_does_not_stop_keeps_its_slot_after_its_outcome_is_written(memory: MemoryJournal) -> None:
    async with started(memory) as bench:
        tool = bench.tools["pay"]
        released = asyncio.Event()

        async def stubborn(running: object) -> bytes:
            running.started()  # type: ignore[attr-defined]
            tool.ran.append("x")
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    continue
            return b"1"

        tool.run = stubborn  # type: ignore[method-assign]
        call_id = bench.send("a")
        await bench.until(lambda: tool.ran)
        bench.executor.cancel(call_id)
        failure = (await bench.outcome(call_id)).failure
        assert failure is not None
        assert failure.effect is KnownEffect.POSSIBLE
        assert bench.executor.stuck == 1
        released.set()
        await bench.executor.unused([bench.executor.pick("pay", "").tool])
        assert bench.executor.stuck == 0


async def test_what_is_said_to_have_never_started_does_not_start_later(memory: MemoryJournal) -> None:
    async with started(memory) as bench:
        tool = bench.tools["pay"]
        asked, released = asyncio.Event(), asyncio.Event()

        async def slow_to_start(running: RunningCall) -> bytes:
            asked.set()
            while not released.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await released.wait()
            running.started()
            tool.ran.append("x")
            return b"1"

        tool.run = slow_to_start  # type: ignore[method-assign]
        call_id = bench.send("a")
        await asked.wait()
        bench.executor.cancel(call_id)
        failure = (await bench.outcome(call_id)).failure
        assert failure is not None
        assert failure.effect is KnownEffect.NONE
        released.set()
        await bench.executor.unused([bench.executor.pick("pay", "").tool])
        assert tool.ran == []


async def test_asked_for_while_it_is_being_fenced_it_is_refused(memory: MemoryJournal) -> None:
    async with started(memory) as bench:
        bench.journal.go.clear()
        bench.executor.attach(bench.stream, Ask("batch/a/1", "boot-1", Effect.NON_IDEMPOTENT, 0))
        await held(bench)
        assert bench.answers == [], "never seen is said once it is fenced on disk"
        failure = (await bench.outcome(bench.send("a"))).failure
        assert failure is not None
        assert failure.reason == "CALL_FENCED"
        bench.journal.go.set()
        await bench.until(lambda: bench.answers)
        assert bench.answers[0].state is AttachState.NEVER_SEEN
        assert bench.tools["pay"].ran == []


async def test_a_tool_that_is_loaded_anew_as_harmless_is_still_journalled(memory: MemoryJournal) -> None:
    async with started(memory) as bench:
        bench.executor.replace_tools([GatedTool("pay", Effect.READ)])
        outcome = await bench.outcome(bench.send("a"))
        assert outcome.position == 2
