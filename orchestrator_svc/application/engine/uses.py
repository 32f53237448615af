"""Who uses which batch at the moment, and who brings it into memory: one at a time."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Use:
    """Of one batch. `loading`: held by whoever brings it into memory."""

    users: int = 0
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)


class Uses:
    """`on_free` is told of a batch that nobody uses any more."""

    def __init__(self, on_free: Callable[[str], None]) -> None:
        self._uses: dict[str, Use] = {}
        self._on_free = on_free

    def __contains__(self, batch_id: str) -> bool:
        return batch_id in self._uses

    @contextmanager
    def of(self, batch_id: str) -> Generator[Use]:
        use = self._uses.get(batch_id)
        if use is None:
            use = self._uses[batch_id] = Use()
        use.users += 1
        try:
            yield use
        finally:
            use.users -= 1
            if not use.users:
                del self._uses[batch_id]
                self._on_free(batch_id)
