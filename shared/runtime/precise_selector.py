"""How an event loop waits: to the microsecond, where asyncio's own selector counts whole ms, and rounds up.

A timer that is set while others are pending would come up to 1 ms late: a tool that sleeps 50 ms took 51.
"""

import select
from selectors import DefaultSelector, SelectorKey

_DESCRIPTORS = 1024
"""Those that select() takes lie below."""


class PreciseSelector(DefaultSelector):
    """Waits by select() for its own descriptor, which is readable when any of those that it watches is ready."""

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is not None and timeout > 0 and self.fileno() < _DESCRIPTORS:
            select.select([self], [], [], timeout)
            timeout = 0
        return super().select(timeout)
