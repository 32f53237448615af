"""Whether it is the database that failed, or what was to be written."""

from sqlalchemy import exc

from shared.kernel.errors import PreconditionError, UnavailableError

# PostgreSQL: cardinality, data, integrity, size of a row. The statements are ours, so all else is the database.
_OF_THE_DATA = ("21", "22", "23", "54")


def is_unavailable(error: BaseException) -> bool:
    """Not now; it may be another time."""
    if isinstance(error, OSError | exc.TimeoutError):  # TimeoutError is an OSError
        return True
    if _is_short_of_memory(error) or _is_short_of_threads(error):
        return True
    state = _state(error)
    if state:
        return state[:2] not in _OF_THE_DATA
    if _of_asyncpg(error):
        return not isinstance(error, ValueError)  # a value that it cannot encode
    if isinstance(error, exc.InterfaceError):
        cause = getattr(error.orig, "__cause__", None)
        return cause is not None and _of_asyncpg(cause) and not isinstance(cause, ValueError)
    if isinstance(error, exc.OperationalError | exc.InternalError):
        return True
    return type(error) is exc.DatabaseError  # a damaged file


def problem(error: BaseException) -> str:
    """For people: what the driver said, without the statement."""
    if _is_short_of_memory(error):
        return "out of memory"
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, TimeoutError):
        return "it does not answer in time"
    cause = cause.__cause__ or cause
    return str(cause).strip().partition("\n")[0] or type(cause).__name__


def superseded() -> UnavailableError:
    """What is written after another orchestrator has ended this start: nothing."""
    message = "another orchestrator has taken over what was this one's: nothing was written"
    return UnavailableError("STORE_UNAVAILABLE", message, retry_after=1.0)


def taken_over(name: str) -> PreconditionError:
    """What a start hears of it that looks after its lease. `name`: of the store."""
    return PreconditionError(
        "STORE_TAKEN",
        f"another orchestrator has ended this one's start on {name}, which it had not heard of for too long: this one "
        "ends, and serves again once it is started again",
    )


def _is_short_of_memory(error: BaseException) -> bool:
    """This process, or SQLite within it."""
    return isinstance(error, MemoryError) or isinstance(getattr(error, "orig", None), MemoryError)


def _is_short_of_threads(error: BaseException) -> bool:
    """The system gives this process no more of them."""
    return isinstance(error, RuntimeError) and str(error) == "can't start new thread"


def _of_asyncpg(error: BaseException) -> bool:
    """Which may not be installed."""
    return type(error).__module__.startswith("asyncpg.")


def _state(error: BaseException) -> str | None:
    """SQLSTATE, of PostgreSQL's driver or of SQLAlchemy around it."""
    return getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
