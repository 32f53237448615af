"""What a database says of itself is to be waited out; what it says of what was written is not."""

import asyncpg
import pytest
from sqlalchemy import exc

from orchestrator_svc.adapters.store.failures import is_unavailable, problem


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DiskFullError,
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.TooManyConnectionsError,
        asyncpg.AdminShutdownError,
        asyncpg.OutOfMemoryError,
        asyncpg.QueryCanceledError,
    ],
)
def test_the_database_is_waited_for(error: type[asyncpg.PostgresError]) -> None:
    assert is_unavailable(error("why"))
    assert is_unavailable(exc.DBAPIError("INSERT", None, error("why")))


@pytest.mark.parametrize(
    "error", [asyncpg.UniqueViolationError, asyncpg.CharacterNotInRepertoireError, asyncpg.ProgramLimitExceededError]
)
def test_what_cannot_be_written_is_not(error: type[asyncpg.PostgresError]) -> None:
    assert not is_unavailable(error("why"))
    assert not is_unavailable(exc.DBAPIError("INSERT", None, error("why")))


def test_a_pool_that_has_none_left_is_waited_for() -> None:
    assert is_unavailable(exc.TimeoutError("QueuePool limit reached"))


@pytest.mark.parametrize("error", [MemoryError(), exc.StatementError("why", "INSERT", None, MemoryError())])
def test_a_shortage_of_memory_is_waited_for(error: Exception) -> None:
    assert is_unavailable(error)
    assert problem(error) == "out of memory"
