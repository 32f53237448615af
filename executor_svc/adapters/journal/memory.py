"""The journal in memory, for tests: one object is one journal, which may be opened again after it was closed."""

from collections.abc import Collection
from dataclasses import replace

from executor_svc.domain.journalled import Entry, Standing, ending_of
from executor_svc.domain.outcome import FailureClass, KnownEffect
from executor_svc.ports.journal import Entries, Opened, Written
from shared.kernel.clock import Clock
from shared.kernel.errors import GreenlightError, PreconditionError


class MemoryJournal:
    """Implements `Journal`. While `failing` is set nothing can be written."""

    def __init__(self, clock: Clock) -> None:
        self.failing: GreenlightError | None = None
        self.copied = False
        self._clock = clock
        self._executor_id = ""
        self._position = 0
        self._boots: dict[str, bool] = {}
        self._boot_id = ""
        self._calls: dict[str, tuple[Entry, int]] = {}
        self._open = False

    async def open(self, boot_id: str, executor_id: str) -> Opened:
        if self._open:
            raise PreconditionError("JOURNAL_LOCKED", "another executor has it")
        first, self._executor_id = not self._executor_id, self._executor_id or executor_id
        if self.copied:
            self._boots = dict.fromkeys(self._boots, False)
        copied, self.copied = self.copied, False
        earlier = frozenset(boot_id for boot_id, trusted in self._boots.items() if trusted)
        self._boots[boot_id], self._boot_id, self._open = True, boot_id, True
        return Opened(self._executor_id, self._position, first, copied, earlier)

    async def close(self, *, at_work: bool = False) -> None:
        self._open = at_work

    async def write(self, entries: Entries) -> Written:
        if self.failing is not None:
            raise self.failing
        held: dict[str, Entry] = {}
        for call_id, digest in entries.accepted:
            self._add(Entry(call_id, digest, self._boot_id, Standing.ACCEPTED), held)
        self._end(entries)
        for call_id in dict.fromkeys(entries.fenced):
            self._add(Entry(call_id, "", "", Standing.FENCED), held)
        for call_id in entries.acknowledged:
            self._forget(call_id)
        return Written(self._position, held)

    async def known_boots(self, boot_ids: Collection[str]) -> set[str]:
        return {boot_id for boot_id in boot_ids if self._boots.get(boot_id)}

    async def prune(self, before: int, limit: int) -> int:
        old = [
            (since, call_id)
            for call_id, (entry, since) in self._calls.items()
            if entry.standing in (Standing.FORGOTTEN, Standing.FENCED) and since < before
        ]
        for _, call_id in sorted(old)[:limit]:
            del self._calls[call_id]
        return min(len(old), limit)

    def _add(self, entry: Entry, held: dict[str, Entry]) -> None:
        if entry.call_id in self._calls:
            held[entry.call_id] = self._calls[entry.call_id][0]
        else:
            self._position += 1
            self._put(entry)

    def _end(self, entries: Entries) -> None:
        self._position += len(entries.ended)
        for outcome in entries.ended:
            entry, _ = self._calls[outcome.call_id]
            if entry.standing in (Standing.ACCEPTED, Standing.ENDED):
                ending, effect = ending_of(outcome)
                kept = replace(outcome, position=self._position)
                self._put(Entry(entry.call_id, entry.digest, entry.boot_id, Standing.ENDED, kept, ending, effect))

    def _forget(self, call_id: str) -> None:
        entry, _ = self._calls.get(call_id, (None, 0))
        if entry is None:
            return
        if entry.standing is Standing.ACCEPTED and entry.boot_id != self._boot_id:
            cut = replace(entry, ending=FailureClass.UNAVAILABLE.value, effect=KnownEffect.POSSIBLE)
            self._put(replace(cut, standing=Standing.FORGOTTEN))
        elif entry.standing is Standing.ENDED:
            self._put(replace(entry, standing=Standing.FORGOTTEN, outcome=None))

    def _put(self, entry: Entry) -> None:
        self._calls[entry.call_id] = (entry, self._clock.time_ns())
