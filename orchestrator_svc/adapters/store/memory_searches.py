"""The memory store's filters: every batch is looked at."""

from collections.abc import Sequence

from orchestrator_svc.adapters.store.memory_batches import KeptBatch
from orchestrator_svc.domain.proposal import Proposal, ProposalState
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.store import SoftCandidate
from orchestrator_svc.ports.views import BatchFilter, BatchPage, ProposalCursor, ProposalFilter, ProposalView


def find_batches(kept: Sequence[KeptBatch], where: BatchFilter, before: str | None, limit: int) -> BatchPage:
    found = [one for one in kept if (before is None or one.shell.id < before) and _matches(one, where)]
    found.sort(key=lambda one: one.shell.id, reverse=True)
    page = found[:limit]
    return BatchPage([one.view() for one in page], page[-1].shell.id if len(found) > limit else None)


def _matches(kept: KeptBatch, where: BatchFilter) -> bool:
    shell = kept.shell
    return (
        where.session_id in ("", shell.session_id)
        and (not where.states or kept.header.state in where.states)
        and _has_labels(shell.labels, where.labels)
        and shell.id.startswith(where.id_prefix)
    )


def _has_labels(labels: dict[str, str], wanted: Sequence[tuple[str, str]]) -> bool:
    return all(labels.get(key) == value for key, value in wanted)


def find_proposals(
    kept: Sequence[KeptBatch], where: ProposalFilter, after: ProposalCursor | None, limit: int
) -> tuple[list[ProposalView], bool]:
    """And whether there are more."""
    found: list[ProposalView] = []
    for one in kept:
        for view in one.views():
            if _is_wanted(view, where) and (after is None or view.cursor > after):
                view.record_times = {}
                found.append(view)
    found.sort(key=lambda view: view.cursor)
    return found[:limit], len(found) > limit


def _is_wanted(view: ProposalView, where: ProposalFilter) -> bool:
    proposal = view.proposal
    return (
        (proposal.state in where.states if where.states else _is_asked(proposal))
        and (not where.tiers or proposal.tier in where.tiers)
        and where.session_id in ("", view.session_id)
        and where.batch_id in ("", view.batch_id)
        and where.agent in ("", proposal.agent)
        and where.tool in ("", proposal.tool.name)
        and _has_labels(proposal.labels, where.labels)
    )


def _is_asked(proposal: Proposal) -> bool:
    return proposal.state is ProposalState.PROPOSED and proposal.asked_time is not None


def find_soft(kept: Sequence[KeptBatch], session_id: str, expired_since: int) -> list[SoftCandidate]:
    found: list[SoftCandidate] = []
    for one in kept:
        for view in one.views() if one.shell.session_id == session_id else []:
            proposal = view.proposal
            expired = proposal.state is ProposalState.EXPIRED and (proposal.finish_time or 0) >= expired_since
            if proposal.tier is Tier.SOFT and (expired or _is_asked(proposal)):
                candidate = SoftCandidate(
                    view.batch_id,
                    one.number,
                    one.session_no,
                    proposal.ordinal,
                    proposal.key,
                    proposal.agent,
                    proposal.state,
                    proposal.added_sequence,
                    proposal.asked_time or 0,
                )
                found.append(candidate)
    return found
