"""One start of an orchestrator on what memory holds; what it may do once another one has ended it."""

from orchestrator_svc.adapters.store.failures import superseded
from orchestrator_svc.adapters.store.memory_commits import Holdings, KeptStart
from orchestrator_svc.ports.store import KEEP_STARTS, Incarnation
from shared.kernel.clock import Clock


class MemoryStart:
    """`shared`: whether there may be others at the same time; else a start ends all that were before it."""

    def __init__(self, held: Holdings, clock: Clock, *, shared: bool) -> None:
        self._held, self._clock, self._shared = held, clock, shared
        self._incarnation = ""

    def _begin(self, incarnation: Incarnation) -> None:
        self._incarnation = incarnation.id
        if not self._shared:
            for other, start in self._held.starts.items():
                if not start.superseded:
                    self._held.end(other)
        self._held.starts[incarnation.id] = KeptStart(incarnation.start_time)
        self._held.forget_starts(incarnation.start_time - KEEP_STARTS)

    def _check(self) -> None:
        """The fence, before each write."""
        if self._ended:
            raise superseded()

    @property
    def _ended(self) -> bool:
        """Also if its start is not on record any more."""
        start = self._held.starts.get(self._incarnation)
        return start.superseded if start is not None else self._incarnation != ""
