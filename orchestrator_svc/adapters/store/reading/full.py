"""A batch with its proposals, as they are shown: as many as their reader has room for."""

from sqlalchemy import Connection, literal, select

from orchestrator_svc.adapters.store.budgets import fitting
from orchestrator_svc.adapters.store.reading.any_rows import AnyRow, AnySelect
from orchestrator_svc.adapters.store.reading.batches import views
from orchestrator_svc.adapters.store.reading.joined import COLUMNS, PLACE, PROPOSALS, SIZE, of_batches
from orchestrator_svc.adapters.store.reading.times import with_record_times
from orchestrator_svc.adapters.store.reading.views import proposal_views
from orchestrator_svc.adapters.store.reading.whole import batch_row
from orchestrator_svc.adapters.store.tables import proposals
from orchestrator_svc.ports.views import BatchView, ProposalView


def get_batch(connection: Connection, tenant: str, batch_id: str) -> BatchView | None:
    row = batch_row(connection, tenant, batch_id)
    return (views(connection, [row]))[0] if row is not None else None


def get_batch_full(
    connection: Connection, tenant: str, batch_id: str, limit_bytes: int
) -> tuple[BatchView, list[ProposalView]] | None:
    row = batch_row(connection, tenant, batch_id)
    if row is None:
        return None
    [view] = views(connection, [row])
    sizes = select(SIZE).select_from(PROPOSALS).where(of_batches(connection, [row.batch_no]))
    fit = fitting(connection.execute(sizes.order_by(*PLACE)).scalars(), limit_bytes)
    statement = of_batch(connection, row, select(*COLUMNS)).order_by(*PLACE).limit(fit)
    shown = proposal_views(connection, connection.execute(statement).all())
    with_record_times(connection, row.batch_no, shown)
    return view, shown


def proposal_keys(connection: Connection, tenant: str, batch_id: str, limit: int) -> list[str]:
    row = batch_row(connection, tenant, batch_id)
    if row is None:
        return []
    statement = select(proposals.c.key).where(proposals.c.batch_no == row.batch_no)
    return list(connection.execute(statement.order_by(proposals.c.ordinal).limit(limit)).scalars())


def of_batch(connection: Connection, row: AnyRow, columns: AnySelect) -> AnySelect:
    """Of one batch's proposals, with what a view needs of the batch."""
    named = literal(row.id).label("batch_id"), literal(row.session_id).label("session_id")
    return columns.add_columns(*named).select_from(PROPOSALS).where(of_batches(connection, [row.batch_no]))
