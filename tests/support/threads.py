"""Lets a test keep its process from starting threads, as a limit of processes or of memory would."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

_BEYOND_ANY_ADDRESS_SPACE = 1 << 46


@contextmanager
def none_can_be_started() -> Generator[None]:
    before = threading.stack_size(_BEYOND_ANY_ADDRESS_SPACE)
    try:
        yield
    finally:
        threading.stack_size(before)
