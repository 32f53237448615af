"""The first statement of each transaction on PostgreSQL: may this orchestrator still write; and what it is known by.

Who supersedes a start waits for its transactions that passed the fence; those that come later do not pass. So a start
that was ended writes nothing more, whatever it believes: no batch that it had, and no new one, which has no guard.

The lock is the weakest that a superseder's FOR UPDATE waits for; a lease is renewed beside it, without waiting.

A transaction leaves a number of its own, so that it is found again if the answer to its COMMIT is lost. The database's
numbers do not do: those of transactions that a crash forgot are given out again, to others, which are made.
"""

from enum import IntEnum
from typing import NamedTuple

from sqlalchemy import Connection, insert

from orchestrator_svc.adapters.store.failures import superseded
from orchestrator_svc.adapters.store.owner_tables import transactions
from orchestrator_svc.ports.ownership import Lease

_FENCE = """
WITH own AS MATERIALIZED (SELECT id FROM incarnations WHERE id = $1 AND superseded = 0 FOR KEY SHARE)
UPDATE transactions SET number = $3 FROM own WHERE transactions.incarnation = own.id AND transactions.lane = $2
RETURNING number
"""
# Nothing where it is locked: one of that lane is under way.
_MADE = "SELECT number FROM transactions WHERE incarnation = $1 AND lane = $2 FOR SHARE SKIP LOCKED"
_LOCK_OWN = "SELECT 1 FROM incarnations WHERE id = $1 FOR KEY SHARE"
_LOCK_OTHER = "SELECT 1 FROM incarnations WHERE id = $1 FOR UPDATE"


class Lane(IntEnum):
    """A start's transactions that commit changes are one after another, each until it is known; the others are not."""

    CHANGES = 1
    OTHERS = 2


class Mark(NamedTuple):
    """What a transaction of a start is known by. `number` grows in each lane."""

    lane: Lane
    number: int


def begin_lanes(connection: Connection, incarnation: str) -> None:
    rows = [{"incarnation": incarnation, "lane": int(lane), "number": 0} for lane in Lane]
    connection.execute(insert(transactions), rows)


def fence(connection: Connection, incarnation: str, mark: Mark) -> None:
    """Leaves the mark. Raises UnavailableError where the start was ended."""
    found = connection.exec_driver_sql(_FENCE, (incarnation, int(mark.lane), mark.number)).scalar()
    if found is None:
        raise superseded()


def lock_both(connection: Connection, incarnation: str, other: Lease) -> None:
    """Before the fence of a transaction that supersedes another start.

    In the order of their ids, so that two that supersede each other do not wait for each other. Its own as the fence
    does: however long the other's keeps it waiting, its own lease is renewed.
    """
    for wanted in sorted((incarnation, other.incarnation)):
        connection.exec_driver_sql(_LOCK_OWN if wanted == incarnation else _LOCK_OTHER, (wanted,)).all()


def last_made(connection: Connection, incarnation: str, lane: Lane) -> int | None:
    """The number of the last one; None: there is one that has not ended."""
    return connection.exec_driver_sql(_MADE, (incarnation, int(lane))).scalar()
