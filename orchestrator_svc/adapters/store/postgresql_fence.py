"""The first statement of each transaction on PostgreSQL: may this orchestrator still write, and which one is it.

A start of another orchestrator supersedes this one. It waits for the transactions that passed the fence; those that
come later do not pass. So what a lost lock does not hold, this does, also for batches that are new and have no guard.
"""

from sqlalchemy import Connection

from shared.kernel.errors import UnavailableError

_FENCE = "SELECT pg_current_xact_id()::text FROM incarnations WHERE id = $1 AND superseded = 0 FOR SHARE"
_STATUS = "SELECT pg_xact_status($1::text::xid8)"


def fence(connection: Connection, incarnation: str) -> str:
    """The transaction's id, by which it is found again if the answer to its COMMIT is lost."""
    found = connection.exec_driver_sql(_FENCE, (incarnation,)).scalar()
    if found is None:
        message = "another orchestrator has taken over this database: nothing was written"
        raise UnavailableError("STORE_UNAVAILABLE", message, retry_after=1.0)
    return found


def status(connection: Connection, transaction: str) -> str | None:
    """`committed`, `aborted`, `in progress`; None: too long ago to be known."""
    return connection.exec_driver_sql(_STATUS, (transaction,)).scalar()
