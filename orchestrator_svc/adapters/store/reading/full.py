"""A batch with all its proposals, as they are shown."""

from sqlalchemy import Connection, literal, select

from orchestrator_svc.adapters.store.reading.batches import views
from orchestrator_svc.adapters.store.reading.joined import COLUMNS, PROPOSALS
from orchestrator_svc.adapters.store.reading.times import with_record_times
from orchestrator_svc.adapters.store.reading.views import proposal_views
from orchestrator_svc.adapters.store.reading.whole import batch_row
from orchestrator_svc.adapters.store.tables import proposals
from orchestrator_svc.ports.views import BatchView, ProposalView


def get_batch(connection: Connection, tenant: str, batch_id: str) -> BatchView | None:
    row = batch_row(connection, tenant, batch_id)
    return (views(connection, [row]))[0] if row is not None else None


def get_batch_full(connection: Connection, tenant: str, batch_id: str) -> tuple[BatchView, list[ProposalView]] | None:
    row = batch_row(connection, tenant, batch_id)
    if row is None:
        return None
    [view] = views(connection, [row])
    named = literal(row.id).label("batch_id"), literal(row.session_id).label("session_id")
    statement = select(*COLUMNS, *named).select_from(PROPOSALS).where(proposals.c.batch_no == row.batch_no)
    rows = connection.execute(statement.order_by(proposals.c.ordinal)).all()
    shown = proposal_views(connection, rows)
    with_record_times(connection, row.batch_no, shown)
    return view, shown
