"""The memory store's reads within a size: it hands out what a database would read, though it holds it all anyway."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from orchestrator_svc.adapters.store.budgets import answer_size, fitting, fitting_results
from orchestrator_svc.adapters.store.documents import write_map
from orchestrator_svc.adapters.store.reading.any_rows import AnyRow
from orchestrator_svc.adapters.store.rows import MOVING, OF_PROPOSAL, size_of, standing_row
from orchestrator_svc.ports.views import ProposalView


def cut(views: Sequence[ProposalView], limit_bytes: int) -> list[ProposalView]:
    return list(views[: fitting(map(_size, views), limit_bytes)])


def answers(views: Sequence[ProposalView], limit_bytes: int, result_bytes: int) -> list[ProposalView]:
    rows = [_row(view) for view in views]
    fit = fitting([answer_size(row) for row in rows], limit_bytes)
    chosen = set(fitting_results([(row.ordinal, row.result_bytes) for row in rows[:fit]], result_bytes))
    return [_answer(view, with_result=view.proposal.ordinal in chosen) for view in views[:fit]]


def _answer(view: ProposalView, *, with_result: bool) -> ProposalView:
    proposal = view.proposal
    proposal.title = proposal.rationale = proposal.arguments = ""
    proposal.original_arguments = proposal.bound_arguments = ""
    proposal.labels, proposal.references, view.record_times = {}, None, {}
    view.result_omitted = proposal.result is not None and not with_result
    if not with_result:
        proposal.result = None
    return view


def _size(view: ProposalView) -> int:
    row, proposal = _row(view), view.proposal
    proposed = proposal.original_arguments or proposal.arguments
    said = len(proposal.title) + len(proposal.rationale) + len(write_map(proposal.labels))
    return size_of(proposed) + said + row.text_bytes + row.result_bytes


def _row(view: ProposalView) -> AnyRow:
    """What of a row is looked at."""
    proposal = view.proposal
    standing: dict[str, Any] = dict(
        zip((*MOVING, *OF_PROPOSAL), standing_row(view.batch_number, proposal.record()), strict=True)
    )
    row = SimpleNamespace(**standing, key=proposal.key, agent=proposal.agent, tool=proposal.tool.name)
    return cast(AnyRow, row)
