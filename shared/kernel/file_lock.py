"""One holder a file: an flock, which the kernel frees with its process."""

import fcntl
import os
from pathlib import Path


class FileLockedError(Exception):
    """Somebody has it; `holder` is what that one said of itself."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class FileLock:
    """`path` is a file that serves for nothing else. It stays when the lock is released."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self, holder: str) -> None:
        """`holder`: what the next one is told. Raises FileLockedError, OSError."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held_by = os.pread(file, 512, 0).decode(errors="replace").strip()
            os.close(file)
            raise FileLockedError(held_by or "a process that did not say who it is") from None
        os.ftruncate(file, 0)
        os.pwrite(file, holder.encode()[:512], 0)
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
