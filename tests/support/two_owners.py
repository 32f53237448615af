"""An executor's core with an earlier and a later owner of a batch; and what the earlier one must not bring about."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from executor_svc.adapters.journal.memory import MemoryJournal
from executor_svc.application.attaching import Ask
from executor_svc.application.outbox import AttachEntry, AttachState, Entry
from executor_svc.application.streams import Stream
from executor_svc.domain.call import Call
from executor_svc.domain.digest import Digester
from executor_svc.domain.outcome import KnownEffect, Outcome
from executor_svc.domain.tool import Effect
from shared.kernel.clock import SystemClock
from tests.support.held_journal import ORIGIN, Bench, started

OLD, NEW = 1, 2


class Pair:
    """An earlier owner's stream, on which two calls of one batch were sent, and a later one's."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.earlier, self.later = bench.stream, bench.executor.open_stream()

    def send(self, stream: Stream, key: str, epoch: int) -> str:
        call_id = f"batch/{key}/1"
        digest = Digester("pay", "1")("{}")
        call = Call(call_id, replace(ORIGIN, epoch=epoch), "pay", "1", "{}", digest, "", 1, "", None, b"")
        self.bench.executor.submit(stream, [call])
        return call_id

    def attach(self, stream: Stream, call_id: str, epoch: int) -> AttachState:
        self.bench.executor.attach(stream, Ask(call_id, "boot-1", Effect.NON_IDEMPOTENT, 0, epoch))
        *_, answer = [entry for entry in entries(stream) if isinstance(entry, AttachEntry)]
        return answer.state

    async def ended(self, *call_ids: str) -> None:
        tool = self.bench.tools["pay"]
        tool.gate.set()
        await self.bench.executor.unused([tool])
        assert self.bench.executor.in_flight == 0, call_ids


def entries(stream: Stream) -> list[Entry]:
    taken: list[Entry] = []
    while (parcel := stream.outbox.take()) is not None:
        taken += parcel.entries
    return taken


def outcomes(stream: Stream) -> dict[str, bytes | None]:
    return {entry.call_id: entry.result for entry in entries(stream) if isinstance(entry, Outcome)}


@asynccontextmanager
async def two_owners() -> AsyncGenerator[Pair]:
    async with started(MemoryJournal(SystemClock())) as bench:
        bench.tools["pay"].gate.clear()
        pair = Pair(bench)
        for key in ("a", "b"):
            pair.send(pair.earlier, key, OLD)
        await bench.until(lambda: len(bench.tools["pay"].ran) == 2)
        yield pair


# -- what must hold


async def not_got_back(pair: Pair) -> None:
    assert pair.attach(pair.later, "batch/a/1", NEW) is AttachState.RUNNING
    assert pair.attach(pair.earlier, "batch/a/1", OLD) is AttachState.CANNOT_SAY, "the earlier one got it back"
    await pair.ended()
    assert outcomes(pair.later) == {"batch/a/1": b'"done"'}
    assert outcomes(pair.earlier) == {"batch/b/1": b'"done"'}


async def not_stopped(pair: Pair) -> None:
    pair.attach(pair.later, "batch/a/1", NEW)
    for key in ("a", "b"):
        pair.bench.executor.cancel(f"batch/{key}/1", OLD)
    await pair.ended()
    assert outcomes(pair.later) == {"batch/a/1": b'"done"'}, "the earlier one stopped it"
    assert outcomes(pair.earlier) == {"batch/b/1": b'"done"'}


async def not_shared(pair: Pair) -> None:
    """Sent once more, it is told whose it is."""
    pair.attach(pair.later, "batch/a/1", NEW)
    pair.send(pair.earlier, "a", OLD)
    told = [entry for entry in entries(pair.earlier) if isinstance(entry, Outcome)]
    assert [_failure(outcome) for outcome in told] == [("OWNER_SUPERSEDED", KnownEffect.POSSIBLE, False)], (
        "the earlier one is told how it ends"
    )
    await pair.ended()
    assert outcomes(pair.later) == {"batch/a/1": b'"done"'}


def _failure(outcome: Outcome) -> tuple[str, KnownEffect, bool] | None:
    failure = outcome.failure
    return None if failure is None else (failure.reason, failure.effect, failure.refused)


CHECKS: tuple[Callable[[Pair], Awaitable[None]], ...] = (not_got_back, not_stopped, not_shared)
"""Of an attach, a cancel and a frame."""
