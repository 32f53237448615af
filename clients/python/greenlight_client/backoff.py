"""When to try again, and when to stop: pure arithmetic over a clock that only goes forward."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from greenlight_client.errors import GreenlightError

# A server that ends drops what has just arrived: its client is told CANCELLED. What we cancel ourselves is no error.
_NOBODY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays double from `initial` to `maximum` seconds, each with full jitter over its upper half."""

    initial: float = 0.1
    maximum: float = 5.0

    def delay(self, attempt: int, fraction: float) -> float:
        """After the `attempt`-th failure in a row (from 1); `fraction` is a random number in [0, 1)."""
        ceiling = min(self.maximum, self.initial * 2.0 ** min(attempt - 1, 32))
        return ceiling * (0.5 + fraction / 2)


class Patience:
    """Counts the failures of one request, and says how long to wait before the next try, for `limit` seconds in all.

    `elsewhere`: the next try may reach another server. Then it does not wait for what this one says of itself, and goes
    also where this one gave no answer in time.
    """

    def __init__(
        self,
        backoff: Backoff,
        limit: float,
        *,
        elsewhere: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        self._backoff = backoff
        self._limit = limit
        self._elsewhere = elsewhere
        self._monotonic = monotonic
        self._fraction = fraction
        self._failures = 0
        self._since = monotonic()

    def reset(self, limit: float) -> None:
        """It worked: the next failure is the first, and there are `limit` seconds from then on."""
        self._failures = 0
        self._limit = limit

    def delay_after(self, error: GreenlightError) -> float | None:
        """Seconds to wait before the next try; None = give up and raise it. The server's own delay is honoured."""
        if not is_passing(error, elsewhere=self._elsewhere):
            return None
        now = self._monotonic()
        if self._failures == 0:
            self._since = now
        self._failures += 1
        of_server_alone = self._elsewhere and error.code in _NOBODY
        wanted = 0.0 if of_server_alone else error.retry_after or 0.0
        delay = max(wanted, self._backoff.delay(self._failures, self._fraction()))
        return delay if now + delay - self._since <= self._limit else None


def is_passing(error: GreenlightError, *, elsewhere: bool = False) -> bool:
    """Worth another try as it is: nobody there, or a limit about which the server says when to come back.

    With others to ask, no answer in time too: every request may be repeated.
    """
    if error.code in _NOBODY:
        return True
    if error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return elsewhere
    return error.code is grpc.StatusCode.RESOURCE_EXHAUSTED and error.retry_after is not None
