"""One orchestrator a database file: an flock on a file beside it, which the kernel frees with its holder."""

import fcntl
import os
from pathlib import Path

from shared.kernel.errors import PreconditionError


class FileLock:
    """The database file itself is opened by SQLite only: closing any other handle on it would drop SQLite's locks."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._file: int | None = None

    def acquire(self, holder: str) -> None:
        """`holder`: what the next one is told. Raises PreconditionError (STORE_LOCKED)."""
        if not self.try_acquire(holder):
            held_by = self._path.read_bytes()[:512].decode(errors="replace").strip() or "a process that did not say who"
            raise PreconditionError(
                "STORE_LOCKED",
                f"another orchestrator has {self._database}: {held_by}. Stop it first, or give this one a data folder "
                "of its own",
                metadata={"path": str(self._database), "holder": held_by},
            )

    def try_acquire(self, holder: str) -> bool:
        """Whether it is this process's now."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        os.ftruncate(file, 0)
        os.pwrite(file, holder.encode()[:512], 0)
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
