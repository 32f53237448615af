"""How far executors' journals stood when their answers were recorded: a row an executor and incarnation."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from orchestrator_svc.adapters.store.bulk import BulkInsert
from orchestrator_svc.adapters.store.owner_tables import journal_positions
from orchestrator_svc.domain.changes import BatchWrite

_KEEP = BulkInsert(
    journal_positions,
    ("executor_id", "incarnation", "position"),
    "ON CONFLICT (executor_id, incarnation) DO UPDATE SET position = excluded.position"
    " WHERE excluded.position > journal_positions.position",
)


def keep_positions(connection: Connection, writes: Sequence[BatchWrite]) -> None:
    """They never fall."""
    highest: dict[tuple[str, str], int] = {}
    for write in writes:
        for executor_id, position in write.positions.items():
            key = (executor_id, write.batch.incarnation)
            highest[key] = max(position, highest.get(key, 0))
    _KEEP.run(connection, [(*key, position) for key, position in sorted(highest.items())])


def load_positions(connection: Connection) -> dict[str, int]:
    statement = select(journal_positions.c.executor_id, func.max(journal_positions.c.position)).group_by(
        journal_positions.c.executor_id
    )
    return {row.executor_id: row[1] for row in connection.execute(statement)}
