"""The one source of ids: UUIDv7 (RFC 9562), so that rows keyed by them are inserted in order of time."""

import secrets
import threading
from collections.abc import Callable

from shared.kernel.clock import Clock, SystemClock

_RANDOM_BITS = 62


class IdSource:
    """Makes ids that grow strictly within a process, also when the wall clock stands still or goes back.

    The 12 bits after the version hold the fraction of the millisecond (RFC 9562, 6.2, method 3), the last 62 bits are
    random. Thread-safe.
    """

    def __init__(self, clock: Clock | None = None, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._clock = clock or SystemClock()
        self._random_bits = random_bits
        self._lock = threading.Lock()
        self._last = 0

    def new(self) -> str:
        """Returns a UUIDv7 as text: 36 characters, lower case, with hyphens."""
        milliseconds, rest = divmod(self._clock.time_ns(), 1_000_000)
        tick = milliseconds << 12 | rest * 4096 // 1_000_000
        with self._lock:
            tick = max(tick, self._last + 1)
            self._last = tick
        high = tick >> 12 << 16 | 0x7000 | tick & 0xFFF
        low = 1 << 63 | self._random_bits(_RANDOM_BITS)
        text = f"{high:016x}{low:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
