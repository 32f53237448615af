"""Batches that may be on record as this start's, and in nobody's memory: they would be looked at by nobody."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager

from orchestrator_svc.domain.batch import Batch


class Doubts:
    """Batch id -> tenant. `on_doubt` is told that there are some to look after."""

    def __init__(self, on_doubt: Callable[[], None]) -> None:
        self._tenants: dict[str, str] = {}
        self._on_doubt = on_doubt

    def all(self) -> list[tuple[str, str]]:
        """(batch id, tenant) of each."""
        return list(self._tenants.items())

    def add(self, batches: Iterable[Batch]) -> None:
        self._tenants.update({batch.id: batch.tenant for batch in batches})

    def remove(self, batch_id: str) -> None:
        """It is in memory, or another's."""
        self._tenants.pop(batch_id, None)

    @contextmanager
    def taking(self, tenant: str, batch_id: str) -> Generator[None]:
        """It stays in doubt where that fails."""
        self._tenants[batch_id] = tenant
        try:
            yield
        except BaseException:
            self._on_doubt()
            raise
        self.remove(batch_id)
