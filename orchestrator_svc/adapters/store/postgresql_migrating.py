"""Migrations on PostgreSQL are one orchestrator's at a time: others that start meanwhile wait for it, for a while."""

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from shared.kernel.errors import PreconditionError

WAIT = 20
"""Seconds."""
_CLASS = 0x67726C74  # "grlt"
_LOCK = f"SELECT pg_advisory_xact_lock({_CLASS}, hashtext(coalesce(current_schema(), '')))"
_NOT_AVAILABLE = "55P03"


def lock_schema(connection: Connection, name: str, wait: float = WAIT) -> None:
    """Until the transaction ends. Raises PreconditionError (STORE_LOCKED) where another one has it too long."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(wait * 1000)}")
    try:
        connection.exec_driver_sql(_LOCK)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _NOT_AVAILABLE:
            raise
        raise PreconditionError(
            "STORE_LOCKED",
            f"another orchestrator is bringing {name} to its schema, for more than {wait:g} s. Start this one again "
            "when it is done, or end it if it hangs",
            metadata={"path": name},
        ) from error
    connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
