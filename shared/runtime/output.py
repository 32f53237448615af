"""Standard output and error that never make anybody wait: a thread writes them, and what nobody reads is dropped.

A full pipe would else hold the event loop, and with it all that the service does. What was dropped is counted, and said
where it is missing.
"""

import atexit
import io
import os
import queue
import select
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_WAITING = 1 << 20
_AT_ONCE = 1 << 16
_LAST_WORDS = 1.0


class Outflow(io.RawIOBase):
    """Takes what is written to `descriptor` at once, up to 1 MiB that waits; then nothing, until half of it is out.

    `missing(lines)` says what was dropped. For any thread.
    """

    def __init__(self, descriptor: int, missing: Callable[[int], str]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._missing = missing
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        # Reentrant: what is written within may itself make something write, as the collection of garbage does.
        self._changed = threading.Condition(threading.RLock())
        self._size = 0
        self._dropped = 0
        self._is_full = False
        threading.Thread(target=self._write_on, name=f"output {descriptor}", daemon=True).start()

    @property
    def name(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: "ReadableBuffer", /) -> int:
        taken = bytes(data)
        with self._changed:
            if self._is_full or (self._size and self._size + len(taken) > _WAITING):
                self._is_full = True
                self._dropped += max(1, taken.count(b"\n"))
            else:
                self._say_what_is_missing()
                self._put(taken)
        return len(taken)

    def drain(self, seconds: float) -> None:
        """Waits until all is written, for so long at most."""
        with self._changed:
            self._say_what_is_missing()
            self._changed.wait_for(lambda: not self._size, seconds)

    def _say_what_is_missing(self) -> None:
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._put(self._missing(dropped).encode())

    def _put(self, data: bytes) -> None:
        self._size += len(data)
        self._lines.put(data)

    def _write_on(self) -> None:
        while True:
            data = self._lines.get()
            while len(data) < _AT_ONCE and not self._lines.empty():
                data += self._lines.get()
            _write(self._descriptor, data)
            with self._changed:
                self._size -= len(data)
                self._is_full = self._is_full and self._size > _WAITING // 2
                self._changed.notify_all()


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # whoever started this process has made it so
            select.select([], [descriptor], [])
        except OSError:  # who read it is gone: nobody is left to miss it
            return


def release_output() -> None:
    """From now on `sys.stdout` and `sys.stderr` wait for nobody; what is left at the process's end has a second."""
    sys.stdout = _released(sys.stdout, lambda lines: f'{{"event":"dropped","lines":{lines}}}\n')
    sys.stderr = _released(sys.stderr, lambda lines: f"... {lines} lines were dropped here: nobody read them in time\n")
    atexit.register(drain_output)


def drain_output() -> None:
    """Gives what is left a second to be read."""
    for stream in (sys.stdout, sys.stderr):
        raw = getattr(stream, "buffer", None)
        if isinstance(raw, Outflow):
            stream.flush()
            raw.drain(_LAST_WORDS)


def _released(stream: TextIO, missing: Callable[[int], str]) -> TextIO:
    stream.flush()
    raw = Outflow(stream.fileno(), missing)
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)
