"""Whose batches are, without changing it."""

from sqlalchemy import Connection, func, select

from orchestrator_svc.adapters.store.tables import DUE, batches
from orchestrator_svc.domain.batch import Batch


def next_wake(connection: Connection) -> int | None:
    return connection.execute(select(func.min(batches.c.wake_time)).where(DUE)).scalar()


def still(connection: Connection, batch: Batch, incarnation: str) -> bool:
    known = (batches.c.batch_no == batch.number, batches.c.epoch == batch.epoch, batches.c.head == batch.head)
    statement = select(batches.c.batch_no).where(*known, batches.c.incarnation.in_(("", incarnation)))
    return connection.execute(statement).first() is not None
