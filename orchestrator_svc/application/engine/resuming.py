"""Going on with batches that were taken: from another start, or because somebody has something to say to them."""

from collections.abc import Callable, Iterable

from orchestrator_svc.application.engine.concluding import Concluder
from orchestrator_svc.application.engine.reattaching import Reattaching
from orchestrator_svc.application.engine.signals import SignalHandler
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.recovering import recover
from orchestrator_svc.ports.store import Store


class Resuming:
    """`begin` opens changes of a batch; `on_fault` is told of one that cannot go on. `grace`: of cancels, in ns."""

    def __init__(
        self,
        store: Store,
        reattaching: Reattaching,
        signals: SignalHandler,
        concluder: Concluder,
        begin: Callable[[Batch], Changes],
        on_fault: Callable[[Batch, Exception], None],
        grace: int,
    ) -> None:
        self._store, self._reattaching, self._signals, self._concluder = store, reattaching, signals, concluder
        self._begin, self._on_fault, self._grace = begin, on_fault, grace

    async def prepare(self) -> None:
        """How far the executors' journals stood is known before any of them is asked about what it ran."""
        self._reattaching.load(await self._store.journal_positions())

    async def arriving(self, batches: Iterable[Batch]) -> None:
        """Others may have recorded more of that since."""
        if any(batch.counts[State.RUNNING] or batch.counts[State.OUTCOME_UNKNOWN] for batch in batches):
            await self.prepare()

    def resume(self, batch: Batch) -> None:
        """Timers, what is ready, and what executors have to be asked about."""
        changes = self._begin(batch)
        try:
            self._signals.expect(batch, recover(batch, changes, self._grace))
        except Exception as error:
            self._on_fault(batch, error)
        else:
            self._concluder.record(changes)
