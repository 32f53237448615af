"""A call that runs is the latest owner's of its batch: who had the batch before neither gets it, nor stops it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from executor_svc.adapters.journal.memory import MemoryJournal
from executor_svc.application import owners
from executor_svc.application.attaching import Ask
from executor_svc.application.outbox import AttachEntry, AttachState, Entry
from executor_svc.application.owners import Owners
from executor_svc.application.run import Run
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


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with started(MemoryJournal(SystemClock())) as bench:
        bench.tools["pay"].gate.clear()
        pair = Pair(bench)
        for key in ("a", "b"):
            pair.send(pair.earlier, key, OLD)
        await bench.until(lambda: len(bench.tools["pay"].ran) == 2)
        yield pair


async def test_who_had_it_before_does_not_get_it_back(pair: Pair) -> None:
    assert pair.attach(pair.later, "batch/a/1", NEW) is AttachState.RUNNING
    assert pair.attach(pair.earlier, "batch/a/1", OLD) is AttachState.CANNOT_SAY
    await pair.ended()
    assert outcomes(pair.later) == {"batch/a/1": b'"done"'}
    assert outcomes(pair.earlier) == {"batch/b/1": b'"done"'}


async def test_nor_another_one_of_the_batch(pair: Pair) -> None:
    """Though nobody has asked for that one yet: the batch is another's."""
    pair.attach(pair.later, "batch/a/1", NEW)
    assert pair.attach(pair.earlier, "batch/b/1", OLD) is AttachState.CANNOT_SAY
    assert pair.attach(pair.later, "batch/b/1", NEW) is AttachState.RUNNING
    await pair.ended()
    assert outcomes(pair.later) == {"batch/a/1": b'"done"', "batch/b/1": b'"done"'}


async def test_nor_does_it_stop_any(pair: Pair) -> None:
    pair.attach(pair.later, "batch/a/1", NEW)
    for key in ("a", "b"):
        pair.bench.executor.cancel(f"batch/{key}/1", OLD)
    await pair.ended()
    assert outcomes(pair.later) == {"batch/a/1": b'"done"'}
    assert outcomes(pair.earlier) == {"batch/b/1": b'"done"'}


async def test_sent_once_more_it_is_told_whose_it_is(pair: Pair) -> None:
    pair.attach(pair.later, "batch/a/1", NEW)
    pair.send(pair.earlier, "a", OLD)
    (told,) = [entry for entry in entries(pair.earlier) if isinstance(entry, Outcome)]
    assert told.failure is not None
    assert (told.failure.reason, told.failure.effect, told.failure.refused) == (
        "OWNER_SUPERSEDED",
        KnownEffect.POSSIBLE,
        False,
    )
    await pair.ended()
    assert outcomes(pair.later) == {"batch/a/1": b'"done"'}


async def test_a_later_owner_that_sends_it_once_more_is_heard_of(pair: Pair) -> None:
    pair.send(pair.later, "a", NEW)
    assert pair.attach(pair.earlier, "batch/b/1", OLD) is AttachState.CANNOT_SAY
    await pair.ended()
    assert outcomes(pair.later) == {"batch/a/1": b'"done"'}


@pytest.mark.parametrize("epoch", [0, NEW])
async def test_the_same_owner_or_who_says_none_has_it_as_before(pair: Pair, epoch: int) -> None:
    pair.attach(pair.later, "batch/a/1", NEW)
    assert pair.attach(pair.earlier, "batch/a/1", epoch) is AttachState.RUNNING
    pair.bench.executor.cancel("batch/b/1", epoch)
    await pair.ended()
    assert outcomes(pair.earlier) == {"batch/a/1": b'"done"', "batch/b/1": None}


async def test_how_it_ended_is_told_to_whoever_asks(pair: Pair) -> None:
    """It is kept until it is acknowledged: nobody loses it by that."""
    pair.attach(pair.later, "batch/a/1", NEW)
    await pair.ended()
    assert pair.attach(pair.earlier, "batch/a/1", OLD) is AttachState.ENDED


async def test_batches_of_which_nothing_runs_are_forgotten(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "FEW", 2)
    running: dict[str, Run] = {}
    heard = Owners(running)
    for number in range(10):
        call = Call("", replace(ORIGIN, batch_id=str(number), epoch=OLD), "", "", "", "", "", 1, "", None, b"")
        run = object.__new__(Run)
        run.call = call
        if number == 0:
            running["first"] = run
        assert heard.admits(run, NEW)
    assert len(heard) <= 3
    assert not heard.admits(running["first"], OLD)
