"""What a batch's answers are made of: first every proposal without its wide texts, then the results that fit."""

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import Connection, literal, select

from orchestrator_svc.adapters.store.budgets import Room, answer_size, fitting_results
from orchestrator_svc.adapters.store.reading.any_rows import AnyRow
from orchestrator_svc.adapters.store.reading.batches import views
from orchestrator_svc.adapters.store.reading.full import of_batch
from orchestrator_svc.adapters.store.reading.joined import COLUMNS, PLACE
from orchestrator_svc.adapters.store.reading.views import PLACES, proposal_views
from orchestrator_svc.adapters.store.reading.whole import batch_row
from orchestrator_svc.adapters.store.tables import proposals, standings
from orchestrator_svc.ports.views import BatchView, ProposalView

_PAGE = 512
_NOT_SHOWN = {
    "labels",
    "title",
    "rationale",
    "proposed_arguments",
    "edited_arguments",
    "bound_arguments",
    "result",
}
_BRIEF = [literal("").label(column.name) if column.name in _NOT_SHOWN else column for column in COLUMNS]


def get_batch_answers(
    connection: Connection,
    tenant: str,
    batch_id: str,
    limit_bytes: int,
    result_bytes: int,
    only: Collection[str] | None = None,
) -> tuple[BatchView, list[ProposalView]] | None:
    row = batch_row(connection, tenant, batch_id)
    if row is None:
        return None
    [view] = views(connection, [row])
    rows = _brief_rows(connection, row, limit_bytes, only)
    results = _results(connection, row.batch_no, rows, result_bytes)
    answers = proposal_views(connection, rows)
    for found, answer in zip(rows, answers, strict=True):
        answer.proposal.result = results.get(found.ordinal)
        answer.result_omitted = found.result_bytes > 0 and found.ordinal not in results
    return view, answers


def _brief_rows(
    connection: Connection, batch: AnyRow, limit_bytes: int, only: Collection[str] | None
) -> Sequence[AnyRow]:
    """A page after the other, since only the rows tell how large they are."""
    room, found = Room(limit_bytes), list[AnyRow]()
    for page in _pages(connection, batch):
        for row in page:
            if only is None or row.key in only:
                if not room.takes(answer_size(row)):
                    return found
                found.append(row)
    return found


def _pages(connection: Connection, batch: AnyRow) -> Iterator[Sequence[AnyRow]]:
    ordinal = -1
    while True:
        statement = of_batch(connection, batch, select(*_BRIEF)).where(proposals.c.ordinal > ordinal)
        page = connection.execute(statement.order_by(*PLACE).limit(_PAGE)).all()
        yield page
        if len(page) < _PAGE:
            return
        ordinal = page[-1].ordinal


def _results(connection: Connection, number: int, rows: Sequence[AnyRow], limit: int) -> dict[int, str]:
    """By ordinal."""
    fit = fitting_results([(row.ordinal, row.result_bytes) for row in rows], limit)
    found: dict[int, str] = {}
    for start in range(0, len(fit), PLACES):
        statement = select(standings.c.ordinal, standings.c.result).where(standings.c.batch_no == number)
        chosen = connection.execute(statement.where(standings.c.ordinal.in_(fit[start : start + PLACES])))
        found.update((row.ordinal, row.result) for row in chosen)
    return found
