"""Rows of proposals, joined with their batches', as they are shown: with the keys of what they wait for."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from orchestrator_svc.adapters.store.reading.any_rows import AnyRow
from orchestrator_svc.adapters.store.reading.joined import chosen
from orchestrator_svc.adapters.store.reading.rows import read_edges, read_proposal
from orchestrator_svc.adapters.store.tables import proposals, standings
from orchestrator_svc.domain.proposal import Condition, ProposalState
from orchestrator_svc.ports.views import ProposalView

# Parameters of one statement are limited.
PLACES = 256

Parents = dict[int, dict[int, tuple[str, ProposalState, bool]]]


def proposal_views(connection: Connection, rows: Sequence[AnyRow]) -> list[ProposalView]:
    """The rows have `batch_id` and `session_id` beside a proposal's columns."""
    parents = _parents(connection, rows)
    keys = {number: {ordinal: key for ordinal, (key, _, _) in found.items()} for number, found in parents.items()}
    return [_view(row, parents.get(row.batch_no, {}), keys.get(row.batch_no, {})) for row in rows]


def _parents(connection: Connection, rows: Sequence[AnyRow]) -> Parents:
    """Batch number -> ordinal -> (key, state, whether nobody waits for it), of everything that the rows depend on."""
    wanted = sorted({(row.batch_no, ordinal) for row in rows for ordinal, _ in read_edges(row)})
    parents: Parents = {}
    place = (proposals.c.batch_no, proposals.c.ordinal)
    for start in range(0, len(wanted), PLACES):
        statement = select(*place, proposals.c.key, standings.c.state, standings.c.finish_time)
        for row in connection.execute(statement.select_from(chosen(wanted[start : start + PLACES]))):
            over = row.finish_time > 0
            parents.setdefault(row.batch_no, {})[row.ordinal] = (row.key, ProposalState(row.state), over)
    return parents


def _view(row: AnyRow, parents: dict[int, tuple[str, ProposalState, bool]], keys: dict[int, str]) -> ProposalView:
    proposal = read_proposal(row, keys)
    waiting: list[str] = []
    if proposal.state in (ProposalState.PROPOSED, ProposalState.APPROVED) and not proposal.under_way:
        waiting = [parents[ordinal][0] for ordinal, when in read_edges(row) if not _done(*parents[ordinal][1:], when)]
    proposal.open_dependencies = len(waiting)
    return ProposalView(proposal, row.batch_id, row.batch_no, row.session_id, row.tenant, waiting)


def _done(state: ProposalState, over: bool, when: Condition) -> bool:
    return state is ProposalState.SUCCEEDED or (when is Condition.FINISHED and over)
