"""A machine's clock that a test sets while a process runs: libfaketime, which leaves the monotonic clocks alone."""

import os
from pathlib import Path

_INSTALL = "libfaketime is missing: install it (apt-get install libfaketime)"


def _library() -> Path:
    """The one for several threads. Raises where there is none: a test of it is not skipped."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise RuntimeError(_INSTALL)
    return found[0]


class SteppedClock:
    """The clock of the processes that run with `env`: the real one, and what it was set off by."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.env = {
            "LD_PRELOAD": str(_library()),
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
        }
        self.set(0)

    def set(self, seconds: int) -> None:
        """In one go: it is read at every look at the clock."""
        written = self._file.with_suffix(".written")
        written.write_text(f"{seconds:+d}\n")
        os.replace(written, self._file)
