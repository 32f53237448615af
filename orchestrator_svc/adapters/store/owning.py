"""The writer's transactions about owners: starts that begin and end, batches that change hands.

The caller begins and ends them. A batch of nobody has '' for its incarnation.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from sqlalchemy import Connection, case, delete, exists, insert, select, update

from orchestrator_svc.adapters.store.bulk import Bulk
from orchestrator_svc.adapters.store.owner_tables import incarnations, transactions
from orchestrator_svc.adapters.store.reading.whole import PAGE_BATCHES, PAGE_PROPOSALS
from orchestrator_svc.adapters.store.removing import remove_unpublished
from orchestrator_svc.adapters.store.tables import DUE, OWNED, batches
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.ownership import Elsewhere, Lease
from orchestrator_svc.ports.store import KEEP_STARTS, Incarnation

_LET_GO = Bulk(
    "UPDATE batches SET incarnation = '', wake_time = :wake_time "
    "WHERE batch_no = :batch_no AND epoch = :epoch AND head = :head AND incarnation IN (:incarnation, '')"
)
# Starts, by one that begins.
_FORGOTTEN = 1_000
# At once; an idle one has nothing to do before its end.
_AT_ONCE = case((batches.c.state == int(BatchState.IDLE), batches.c.wake_time), else_=0)


def begin(connection: Connection, incarnation: Incarnation, *, alone: bool) -> None:
    """A new start. `alone`: all that were before it are over."""
    if alone:
        connection.execute(update(incarnations).where(incarnations.c.superseded == 0).values(superseded=1))
        remove_unpublished(connection)
        _release(connection, None)
    connection.execute(insert(incarnations), {**incarnation._asdict(), "superseded": 0, "counter": 0})
    _forget_starts(connection, incarnation.start_time - KEEP_STARTS)


def _forget_starts(connection: Connection, before: int) -> None:
    """Rows of starts that were ended, and began before that time. Who has no row writes as little as who was ended: the
    fence finds neither. What another one is removing, or locks, is passed over: nobody waits for anybody here."""
    old = (incarnations.c.superseded == 1, incarnations.c.start_time < before)
    named = exists().where(OWNED, batches.c.incarnation == incarnations.c.id)
    found = select(incarnations.c.id).where(*old, ~named).limit(_FORGOTTEN).with_for_update(skip_locked=True)
    gone = [row.id for row in connection.execute(found)]
    if gone:
        connection.execute(delete(transactions).where(transactions.c.incarnation.in_(gone)))
        connection.execute(delete(incarnations).where(incarnations.c.id.in_(gone)))


def supersede(connection: Connection, lease: Lease) -> bool:
    alive = (incarnations.c.id == lease.incarnation, incarnations.c.superseded == 0)
    standing = select(incarnations.c.id).where(*alive, incarnations.c.counter == lease.counter)
    if connection.execute(standing.with_for_update()).first() is None:
        return False
    end(connection, lease.incarnation)
    return True


def end(connection: Connection, incarnation: str) -> None:
    """Waits for the transactions that passed its fence; those that come later do not pass.

    Also where it ends itself: the server may still be at one whose connection broke.
    """
    connection.execute(select(incarnations.c.id).where(incarnations.c.id == incarnation).with_for_update()).all()
    connection.execute(update(incarnations).where(incarnations.c.id == incarnation).values(superseded=1))
    remove_unpublished(connection, incarnation=incarnation)
    _release(connection, incarnation)


def _release(connection: Connection, incarnation: str | None) -> None:
    """What is this start's (None: anybody's) belongs to nobody and is due."""
    statement = update(batches).where(OWNED)
    if incarnation is not None:
        statement = statement.where(batches.c.incarnation == incarnation)
    connection.execute(statement.values(epoch=batches.c.epoch + 1, incarnation="", wake_time=_AT_ONCE))


def take(connection: Connection, tenant: str, batch_id: str, incarnation: str) -> Elsewhere | Literal[True] | None:
    """True: from now on only what is loaded after this may write the batch. None: there is none."""
    wanted = (batches.c.tenant == tenant, batches.c.id == batch_id, batches.c.published == 1)
    row = connection.execute(select(batches.c.batch_no, batches.c.incarnation).where(*wanted).with_for_update()).first()
    if row is None:
        return None
    if row.incarnation not in ("", incarnation):
        return Elsewhere(row.incarnation)
    _take(connection, [row.batch_no], incarnation)
    return True


def take_due(connection: Connection, now: int, incarnation: str, taken: dict[int, int]) -> None:
    """Takes some; `taken` gets their numbers, and their epochs from now on, if this is committed."""
    statement = select(batches.c.batch_no, batches.c.epoch, batches.c.total).where(DUE, batches.c.wake_time <= now)
    first = statement.order_by(batches.c.wake_time, batches.c.batch_no).limit(PAGE_BATCHES)
    rows = connection.execute(first.with_for_update(skip_locked=True)).all()
    totals = accumulate(row.total for row in rows)
    page = [row for row, total in zip(rows, totals, strict=True) if total <= PAGE_PROPOSALS] or rows[:1]
    _take(connection, [row.batch_no for row in page], incarnation)
    taken.update({row.batch_no: row.epoch + 1 for row in page})


def _take(connection: Connection, numbers: Sequence[int], incarnation: str) -> None:
    """`wake_time` stays: it says when an idle one ends."""
    statement = update(batches).where(batches.c.batch_no.in_(numbers))
    connection.execute(statement.values(epoch=batches.c.epoch + 1, incarnation=incarnation))


def let_go(connection: Connection, known: Sequence[Batch], incarnation: str, now: int) -> None:
    rows = [
        (batch.due_from(now), batch.number, batch.epoch, batch.head, incarnation)
        for batch in sorted(known, key=lambda batch: batch.number)
    ]
    _LET_GO.run(connection, rows)
