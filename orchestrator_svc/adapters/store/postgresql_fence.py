"""The first statement of each transaction on PostgreSQL: may this orchestrator still write, and which one is it.

Who supersedes a start waits for its transactions that passed the fence; those that come later do not pass. So a start
that was ended writes nothing more, whatever it believes: no batch that it had, and no new one, which has no guard.

The lock is the weakest that a superseder's FOR UPDATE waits for; a lease is renewed beside it, without waiting.
"""

from sqlalchemy import Connection

from orchestrator_svc.adapters.store.failures import superseded
from orchestrator_svc.ports.ownership import Lease

_FENCE = "SELECT pg_current_xact_id()::text FROM incarnations WHERE id = $1 AND superseded = 0 FOR KEY SHARE"
_STATUS = "SELECT pg_xact_status($1::text::xid8)"
_LOCK_OWN = "SELECT 1 FROM incarnations WHERE id = $1 FOR KEY SHARE"
_LOCK_OTHER = "SELECT 1 FROM incarnations WHERE id = $1 FOR UPDATE"


def fence(connection: Connection, incarnation: str) -> str:
    """The transaction's id, by which it is found again if the answer to its COMMIT is lost."""
    found = connection.exec_driver_sql(_FENCE, (incarnation,)).scalar()
    if found is None:
        raise superseded()
    return found


def lock_both(connection: Connection, incarnation: str, other: Lease) -> None:
    """Before the fence of a transaction that supersedes another start.

    In the order of their ids, so that two that supersede each other do not wait for each other. Its own as the fence
    does: however long the other's keeps it waiting, its own lease is renewed.
    """
    for wanted in sorted((incarnation, other.incarnation)):
        connection.exec_driver_sql(_LOCK_OWN if wanted == incarnation else _LOCK_OTHER, (wanted,)).all()


def status(connection: Connection, transaction: str) -> str | None:
    """`committed`, `aborted`, `in progress`; None: too long ago to be known."""
    return connection.exec_driver_sql(_STATUS, (transaction,)).scalar()
