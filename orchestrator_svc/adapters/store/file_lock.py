"""One orchestrator a database file: an flock on a file beside it, which the kernel frees with its holder."""

from pathlib import Path

from shared.kernel import file_lock
from shared.kernel.errors import PreconditionError


class FileLock:
    """The database file itself is opened by SQLite only: closing any other handle on it would drop SQLite's locks."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._lock = file_lock.FileLock(database.with_name(database.name + ".lock"))

    def acquire(self, holder: str) -> None:
        """`holder`: what the next one is told. Raises PreconditionError (STORE_LOCKED)."""
        try:
            self._lock.acquire(holder)
        except file_lock.FileLockedError as error:
            raise PreconditionError(
                "STORE_LOCKED",
                f"another orchestrator has {self._database}: {error.holder}. Stop it first, or give this one a data "
                "folder of its own",
                metadata={"path": str(self._database), "holder": error.holder},
            ) from None

    def try_acquire(self, holder: str) -> bool:
        """Whether it is this process's now."""
        try:
            self._lock.acquire(holder)
        except file_lock.FileLockedError:
            return False
        return True

    def release(self) -> None:
        self._lock.release()
