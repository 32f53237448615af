"""The batches in memory: those of this start, those that somebody works on, and some that rest.

A batch that rests (it waits for people only, or is finished) belongs to nobody. What memory holds of it is good as long
as nobody took it: where others may, whoever uses it asks first.
"""

import asyncio
import copy
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager

from orchestrator_svc.application.engine.doubts import Doubts
from orchestrator_svc.application.engine.elsewhere import OwnedElsewhereError, unknown_batch
from orchestrator_svc.application.engine.resting import Resting
from orchestrator_svc.application.engine.uses import Use, Uses
from orchestrator_svc.domain.batch import MAX_BATCH_ARGUMENTS, Batch
from orchestrator_svc.domain.binding import ArgumentsJudge
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.recovering import may_be_heard_of
from orchestrator_svc.ports.ownership import Elsewhere, Ownership
from shared.kernel.errors import NotFoundError


class LiveBatches:
    """One object a batch. `pin` keeps it while a command is on its way. The engine sets the hooks."""

    pending: Callable[[str], bool]
    """Whether changes of a batch wait to be recorded: then it stays."""
    recorded: Callable[[str], Awaitable[None]]
    """Until they no longer do: a batch is taken with everything that was done to it."""
    awaited: Callable[[Batch], bool]
    """Whether an executor may still say how an attempt ended."""
    engaged: Callable[[Batch], bool]
    """Whether the effect of an attempt is looked for now."""
    next_look: Callable[[Batch], int | None]
    """When it will be, of one that leaves the memory; None: never."""
    arriving: Callable[[Sequence[Batch]], Awaitable[None]]
    """Batches that others may have had were taken, and are in memory next."""
    resume: Callable[[Batch], None]
    """Goes on with one that was taken."""
    forget: Callable[[Batch], None]
    """Drops it, with all that memory has of what it does."""
    evicted: Callable[[Batch], None]
    """One that rested has left the memory."""
    check_taking: Callable[[], None]
    """Raises UnavailableError (DRAINING) where no batch is taken any more."""
    on_rest: Callable[[], None]
    """There are batches to let go of, or there is another `next_wake`."""

    def __init__(
        self,
        owners: Ownership,
        judge: ArgumentsJudge,
        max_arguments: int = MAX_BATCH_ARGUMENTS,
        resolution_deadline: int | None = None,
    ) -> None:
        self.pending, self.awaited, self.evicted = (lambda batch_id: False), (lambda batch: False), (lambda batch: None)
        self.check_taking, self.on_rest = (lambda: None), (lambda: None)
        self.engaged, self.next_look = (lambda batch: False), (lambda batch: None)
        self._owners, self.judge, self._max_arguments = owners, judge, max_arguments
        self._resolution_deadline = resolution_deadline
        self._batches: dict[str, Batch] = {}
        self._uses = Uses(self._free)
        self._ours: set[str] = set()
        self._resting = Resting()
        self._idle: dict[str, Batch] = {}
        self._doubts = Doubts(lambda: self.on_rest())
        self.next_wake: int | None = None
        """The earliest `wake_time` that is known of, of batches that belong to nobody."""

    def __len__(self) -> int:
        """Those that do not rest."""
        return len(self._batches) - len(self._resting)

    def __contains__(self, batch_id: str) -> bool:
        return batch_id in self._batches

    @property
    def shared(self) -> bool:
        """Whether others may take batches."""
        return self._owners.shared

    def get(self, batch_id: str) -> Batch | None:
        return self._batches.get(batch_id)

    def at(self, tenant: str, batch_id: str, sequence: int) -> Batch | None:
        """To look at only: a batch whose last event is that one, which was committed; live, or at rest."""
        batch = None if self.pending(batch_id) else self._batches.get(batch_id)
        return batch if batch is not None and batch.tenant == tenant and batch.head == sequence else None

    def may_be_taken(self, batch_id: str) -> bool:
        """Whether somebody else may have taken it by now."""
        return self._owners.shared and batch_id not in self._ours

    def has_own(self) -> bool:
        """Whether any batch here is on record as this start's, or may be soon."""
        return bool(self._ours) or any(self.pending(batch_id) for batch_id in self._batches)

    # -- into memory

    def add(self, batch: Batch) -> None:
        batch.max_arguments, batch.resolution_deadline = self._max_arguments, self._resolution_deadline
        self._batches[batch.id] = batch
        self._idle.pop(batch.id, None)  # what it was before is over

    @asynccontextmanager
    async def pin(self, tenant: str, batch_id: str, *, resumes: bool = True) -> AsyncGenerator[Batch]:
        """Takes it if need be. Raises NotFoundError (BATCH_UNKNOWN), UnavailableError, OwnedElsewhereError.

        Not `resumes`: one that is taken does not go on by itself yet.
        """
        with self._uses.of(batch_id) as use:
            yield await self._find(tenant, batch_id, use, resumes=resumes)

    async def adopt(self, batches: Sequence[Batch]) -> None:
        """Those that were taken because they were due. Raises UnavailableError: then some have their turn later."""
        self._doubts.add(batches)
        await self._prepare(batches)
        for batch in batches:
            await self._adopt(batch)
            self._doubts.remove(batch.id)
            await asyncio.sleep(0)

    async def _adopt(self, batch: Batch) -> None:
        with self._uses.of(batch.id) as use:
            async with use.loading:
                known = self._batches.get(batch.id)
                if known is not None and known.epoch >= batch.epoch:
                    return  # it was taken for a command meanwhile
                if known is not None:
                    self.forget(known)
                if self.pending(batch.id):
                    await self._take(batch.tenant, batch.id, resumes=True)
                else:
                    self._arrive(batch, resumes=True)

    def _free(self, batch_id: str) -> None:
        batch = self._batches.get(batch_id)
        if batch is not None:
            self.settle(batch)

    async def _find(self, tenant: str, batch_id: str, use: Use, *, resumes: bool) -> Batch:
        while True:
            batch = self._batches.get(batch_id)
            if batch is not None:
                if batch.tenant != tenant:
                    raise unknown_batch(batch_id)
                if await self._is_good(batch):
                    return batch
                continue
            self.check_taking()
            async with use.loading:
                if batch_id in self._batches:
                    continue
                found = await self._take(tenant, batch_id, resumes=resumes)
            if found is None:
                raise unknown_batch(batch_id)
            if isinstance(found, Elsewhere):
                raise OwnedElsewhereError(found.incarnation)
            return found

    async def _is_good(self, batch: Batch) -> bool:
        """Whether memory may be worked on; forgets what somebody else has changed."""
        if not self.may_be_taken(batch.id) or self.pending(batch.id):
            return True
        self.check_taking()
        known = copy.copy(batch)
        still = await self._owners.still(known)
        if self._batches.get(batch.id) is not batch:
            return False
        if not still and batch.head == known.head and not self.pending(batch.id):
            self.forget(batch)
        return still

    async def _take(self, tenant: str, batch_id: str, *, resumes: bool) -> Batch | Elsewhere | None:
        if self.pending(batch_id):
            await self.recorded(batch_id)
        with self._doubts.taking(tenant, batch_id):
            found = await self._owners.take(tenant, batch_id, self.judge)
            if isinstance(found, Batch):
                await self._prepare([found])
                self._arrive(found, resumes=resumes)
        return found

    async def clear_doubts(self) -> None:
        """Takes up those that may have been taken by who then was told that the store is away, or gave up.

        Raises UnavailableError.
        """
        for batch_id, tenant in self._doubts.all():
            if batch_id in self._uses:
                continue
            try:
                async with self.pin(tenant, batch_id):
                    pass
            except (NotFoundError, OwnedElsewhereError):
                pass  # then it is not this start's
            self._doubts.remove(batch_id)

    async def _prepare(self, batches: Sequence[Batch]) -> None:
        if self._owners.shared:
            await self.arriving(batches)

    def _arrive(self, batch: Batch, *, resumes: bool) -> None:
        self.add(batch)
        self._ours.add(batch.id)
        if resumes and (not batch.state.finished or may_be_heard_of(batch)):
            self.resume(batch)

    # -- to rest, and out of memory

    def committed(self, changes: Changes) -> None:
        """What is on record of a batch now."""
        batch, header = changes.batch, changes.header
        if self._batches.get(batch.id) is not batch:
            return
        if header is not None and changes.writes:
            if header.owned:
                self._ours.add(batch.id)
            else:
                self._ours.discard(batch.id)
        self.settle(batch)

    def settle(self, batch: Batch) -> None:
        """It rests if nobody uses it and there is nothing to do now, and no ending that may still come."""
        if batch.id in self._uses or self._batches.get(batch.id) is not batch or self.pending(batch.id):
            return
        if self._works(batch):
            self._resting.remove(batch.id)
            return
        if batch.id in self._ours and not batch.busy:
            self._idle[batch.id] = batch
            self.on_rest()
        self._resting.put(batch)
        for other in self._resting.take_surplus():
            if other.id not in self._uses and not self.pending(other.id) and not self._works(other):
                self._evict(other)  # else it comes to rest once more

    def _works(self, batch: Batch) -> bool:
        return batch.busy and (not batch.state.finished or self.awaited(batch) or self.engaged(batch))

    def _evict(self, batch: Batch) -> None:
        del self._batches[batch.id]
        if batch.id in self._ours and batch.busy and (due := self.next_look(batch)) is not None:
            batch.look_time, self._idle[batch.id] = due, batch
            self.on_rest()
        self._ours.discard(batch.id)
        self.evicted(batch)
        if self.expect_wake(batch.wake_time):
            self.on_rest()

    def expect_wake(self, time: int | None) -> bool:
        """A batch that is in nobody's memory is due then. True: it is the earliest."""
        earlier = time is not None and (self.next_wake is None or time < self.next_wake)
        if earlier:
            self.next_wake = time
        return earlier

    def drop(self, batch_id: str) -> None:
        """Forgets it, pinned or not: the next look-up takes it anew."""
        self._batches.pop(batch_id, None)
        self._ours.discard(batch_id)
        self._idle.pop(batch_id, None)
        self._resting.remove(batch_id)

    def take_idle(self) -> list[Batch]:
        """Those that are on record as this start's, with nothing to do, as they stand: to be let go of.

        From now on they may be anybody's.
        """
        idle, self._idle = self._idle, {}
        found: list[Batch] = []
        for batch in idle.values():
            if batch.id in self._batches:
                if batch.id in self._uses or self.pending(batch.id) or batch.busy or batch.id not in self._ours:
                    continue  # it comes to rest once more, or its last commit has let it go
                self._ours.discard(batch.id)
            found.append(copy.copy(batch))
        return found

    def keep(self, idle: Sequence[Batch]) -> None:
        """They could not be let go of yet."""
        for batch in idle:
            known = self._batches.get(batch.id)
            if known is None:
                self._idle.setdefault(batch.id, batch)
            elif known.epoch == batch.epoch and not known.busy:
                self._ours.add(batch.id)
                self._idle[batch.id] = known

    def leave(self, running: Collection[str]) -> list[Batch]:
        """Forgets all but those that run, or that somebody uses. Returns this start's among them, as they stand."""
        leaving: list[Batch] = []
        for batch in list(self._batches.values()):
            if batch.id in self._uses or self.pending(batch.id) or batch.id in running:
                continue
            if batch.id in self._ours:
                leaving.append(batch)
            self.forget(batch)
        return leaving
