"""Whose batches are, without changing it."""

from sqlalchemy import Connection, func, select

from orchestrator_svc.adapters.store.tables import DUE, batches
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.ports.ownership import Elsewhere


def next_wake(connection: Connection) -> int | None:
    return connection.execute(select(func.min(batches.c.wake_time)).where(DUE)).scalar()


def elsewhere(connection: Connection, tenant: str, batch_id: str, incarnation: str) -> Elsewhere | None:
    """Whose a batch is that is another start's."""
    wanted = (batches.c.tenant == tenant, batches.c.id == batch_id, batches.c.published == 1)
    owner = connection.execute(select(batches.c.incarnation).where(*wanted)).scalar()
    return Elsewhere(owner) if owner and owner != incarnation else None


def still(connection: Connection, batch: Batch, incarnation: str) -> bool:
    known = (batches.c.batch_no == batch.number, batches.c.epoch == batch.epoch, batches.c.head == batch.head)
    statement = select(batches.c.batch_no).where(*known, batches.c.incarnation.in_(("", incarnation)))
    return connection.execute(statement).first() is not None
