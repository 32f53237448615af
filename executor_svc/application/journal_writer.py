"""Writes down what becomes of journalled calls: whatever waits, group by group, in the order in which it came.

An acceptance that cannot be written is refused at once; an ending waits until it can be.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from executor_svc.domain.journalled import Entry
from executor_svc.domain.outcome import Outcome
from executor_svc.ports.journal import Acceptance, Entries, Journal, Written
from shared.kernel.clock import Clock
from shared.kernel.errors import UnavailableError

GROUP_CALLS = 512
GROUP_BYTES = 1 << 20
PRUNED_AT_ONCE = 500
PRUNED_EVERY = 600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_log = logging.getLogger(__name__)


class Accept(NamedTuple):
    """`then` gets where the journal stands, and the entry that it has of the call already (None: the call may start);
    `refuse`: that it cannot be written."""

    call: Acceptance
    then: Callable[[int, Entry | None], None]
    refuse: Callable[[UnavailableError], None]


class End(NamedTuple):
    """`then` gets where the journal stands."""

    outcome: Outcome
    then: Callable[[int], None]


class Inquiry(NamedTuple):
    """Of a call that memory does not know. `known`: the position that the asker has recorded.

    `then` gets whether the journal can answer for that start, where it stands, and its entry; None: the call was never
    seen, and is fenced now.
    """

    call_id: str
    boot_id: str
    known: int
    then: Callable[[bool, int, Entry | None], None]


Item = Accept | End | Inquiry


@dataclass(slots=True)
class _Group:
    """Items with what is written of them; `strange` are inquiries about starts that the journal cannot answer for."""

    entries: Entries = field(default_factory=Entries)
    items: list[Item] = field(default_factory=list[Item])
    strange: list[Inquiry] = field(default_factory=list[Inquiry])


class JournalWriter:
    """`run` is its one supervised task, `prune` another. `position`: where the journal stands.

    `problem`: why it cannot be written now; empty: it can. Every callback is called on the loop, in order.
    """

    def __init__(self, journal: Journal, clock: Clock, position: int = 0) -> None:
        self.position = position
        self.problem = ""
        self._journal = journal
        self._clock = clock
        self._waiting: deque[Item] = deque()
        self._acknowledged: list[str] = []
        self._wake = asyncio.Event()

    def accept(self, item: Accept) -> None:
        if self.problem:
            item.refuse(_unavailable(self.problem))
        else:
            self._put(item)

    def end(self, item: End) -> None:
        self._put(item)

    def ask(self, item: Inquiry) -> None:
        self._put(item)

    def acknowledge(self, call_ids: Iterable[str]) -> None:
        """Nobody waits for it."""
        self._acknowledged += call_ids
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting or self._acknowledged:
                await self._write_group()

    async def prune(self, retention: float) -> None:
        """Now and then drops what nobody can ask for any more, a slice at a time. `retention` in s."""
        while True:
            before = self._clock.time_ns() - round(retention * 1e9)
            pruned = PRUNED_AT_ONCE
            try:
                while pruned == PRUNED_AT_ONCE:
                    pruned = await self._journal.prune(before, PRUNED_AT_ONCE)
            except UnavailableError as error:
                _log.warning("old calls stay in the journal: %s", error.message)
            await asyncio.sleep(PRUNED_EVERY)

    def _put(self, item: Item) -> None:
        self._waiting.append(item)
        self._wake.set()

    async def _write_group(self) -> None:
        items, acknowledged = self._take(), self._acknowledged[:GROUP_CALLS]
        pause = _FIRST_PAUSE
        while True:
            try:
                group = await self._group(items)
                group.entries.acknowledged = acknowledged
                written = await self._journal.write(group.entries)
                break
            except UnavailableError as error:
                items = self._failed(error, items)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if self.problem:
            _log.info("the journal can be written again")
            self.problem = ""
        del self._acknowledged[: len(acknowledged)]
        self.position = written.position
        for item in group.items:
            _tell(item, written)
        for inquiry in group.strange:
            inquiry.then(False, written.position, None)

    def _take(self) -> list[Item]:
        taken, size = list[Item](), 0
        while self._waiting and len(taken) < GROUP_CALLS and size < GROUP_BYTES:
            taken.append(item := self._waiting.popleft())
            if isinstance(item, End) and item.outcome.result is not None:
                size += len(item.outcome.result)
        return taken

    async def _group(self, items: list[Item]) -> _Group:
        asked = {item.boot_id for item in items if isinstance(item, Inquiry)}
        known = await self._journal.known_boots(asked) if asked else asked
        group = _Group()
        for item in items:
            match item:
                case Accept(call):
                    group.entries.accepted.append(call)
                case End(outcome):
                    group.entries.ended.append(outcome)
                case Inquiry(call_id, boot_id, position):
                    if boot_id not in known or position > self.position:
                        group.strange.append(item)
                        continue
                    group.entries.fenced.append(call_id)
            group.items.append(item)
        return group

    def _failed(self, error: UnavailableError, items: list[Item]) -> list[Item]:
        """Nothing starts that is not on disk. Returns what stays, to be written when that can be done."""
        if not self.problem:
            _log.error("NON_IDEMPOTENT calls are refused, outcomes wait to be written: %s", error.message)
        self.problem = error.message
        waiting = [*items, *self._waiting]
        self._waiting = deque(item for item in self._waiting if not isinstance(item, Accept))
        for item in waiting:
            if isinstance(item, Accept):
                item.refuse(_unavailable(error.message))
        return [item for item in items if not isinstance(item, Accept)]


def _tell(item: Item, written: Written) -> None:
    position = written.position
    match item:
        case Accept(call, then, _):
            then(position, written.held.get(call.call_id))
        case End(_, then):
            then(position)
        case Inquiry(call_id, _, _, then):
            then(True, position, written.held.get(call_id))


def _unavailable(problem: str) -> UnavailableError:
    return UnavailableError("JOURNAL_UNAVAILABLE", problem, retry_after=1.0)
