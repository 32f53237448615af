"""A group of batches as one transaction. A batch that cannot be written fails alone; what is wrong with a request of
its is not the batch's fault: there it is lost only."""

import logging
from collections.abc import Sequence

from sqlalchemy import Connection

from orchestrator_svc.adapters.store.failures import is_unavailable
from orchestrator_svc.adapters.store.remembering import is_taken
from orchestrator_svc.adapters.store.removing import remove_unpublished
from orchestrator_svc.adapters.store.writing import apply
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.ports.codec import EventCodec
from orchestrator_svc.ports.store import Committed

_log = logging.getLogger(__name__)


def write_group(connection: Connection, writes: Sequence[BatchWrite], codec: EventCodec, now: int) -> Committed:
    """Raises where anything cannot be written: then the transaction is to be given up, and `write_halves` the next."""
    return _with_removed(connection, writes, apply(connection, writes, codec, now))


def write_halves(connection: Connection, writes: Sequence[BatchWrite], codec: EventCodec, now: int) -> Committed:
    """Something in the group cannot be written: what it is shows when it is alone. Raises if the database fails."""
    return _with_removed(connection, writes, _halves(connection, writes, codec, now))


def _halves(connection: Connection, writes: Sequence[BatchWrite], codec: EventCodec, now: int) -> Committed:
    """Something in the group cannot be written: what it is shows when it is alone."""
    savepoint = connection.begin_nested()
    try:
        committed = apply(connection, writes, codec, now)
    except Exception as error:
        if is_unavailable(error):
            raise  # all of it is given up: a full disk may have ended the transaction, and its savepoints with it
        savepoint.rollback()
        if len(writes) == 1 and is_taken(connection, writes[0]):
            return Committed(lost={writes[0].batch.id})
        if len(writes) == 1:
            _log.exception("batch %s cannot be written and is dropped", writes[0].batch.id)
            return Committed(unwritable={writes[0].batch.id})
    else:
        savepoint.commit()
        return committed
    middle = len(writes) // 2
    first = _halves(connection, writes[:middle], codec, now)
    second = _halves(connection, writes[middle:], codec, now)
    return Committed(
        first.lost | second.lost,
        first.unwritable | second.unwritable,
        first.frames | second.frames,
        first.created | second.created,
    )


def _with_removed(connection: Connection, writes: Sequence[BatchWrite], committed: Committed) -> Committed:
    """A submission of several parts that lost one of them will never be published."""
    failed = committed.lost | committed.unwritable
    if failed:
        numbers = [write.batch.number for write in writes if write.batch.id in failed and not write.created]
        remove_unpublished(connection, numbers)
    return committed
