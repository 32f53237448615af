"""Which thread held the interpreter's lock while the others were kept from it, by the processor time of each."""

import contextlib
import sys
import threading
import time
from collections.abc import Mapping

_CLOCK_OF_A_THREAD = 0b110


def spent_by_threads() -> dict[threading.Thread, float]:
    """Processor time of each so far, in s; nothing where the system does not tell."""
    spent: dict[threading.Thread, float] = {}
    if sys.platform == "linux":
        for thread in threading.enumerate():
            # `pthread_getcpuclockid` gives the same, and crashes where the thread has ended meanwhile.
            with contextlib.suppress(OSError):
                spent[thread] = time.clock_gettime(~(thread.native_id or 0) << 3 | _CLOCK_OF_A_THREAD)
    return spent


def holder(
    before: Mapping[threading.Thread, float], after: Mapping[threading.Thread, float], held: float
) -> threading.Thread | None:
    """The one that computed more than all others together, meanwhile: who waits for the lock hardly does.

    `held`: for how long (s). Who computed for less than a twentieth of that is not said to have held it: one that slept
    with it, or has ended, is not seen.
    """
    meanwhile = {thread: spent - before.get(thread, 0.0) for thread, spent in after.items()}
    most = max(meanwhile, key=meanwhile.__getitem__, default=None)
    if most is None or meanwhile[most] < held / 20:
        return None
    return most if meanwhile[most] * 2 > sum(meanwhile.values()) else None
