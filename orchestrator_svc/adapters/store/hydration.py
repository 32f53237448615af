"""A batch put together again from what was stored: the derived parts (keys, edges, counts) are worked out anew."""

from collections.abc import Iterable

from orchestrator_svc.domain.adding import satisfied
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.canonical import JsonError, parse
from orchestrator_svc.domain.proposal import Proposal, ProposalState
from orchestrator_svc.domain.references import ReferenceFault, References, find_references, may_have_references

_WAITING = (ProposalState.PROPOSED, ProposalState.APPROVED)


def attach(batch: Batch, proposals: Iterable[Proposal]) -> Batch:
    """Gives an empty batch its proposals, by ordinal and in their present states."""
    counts = [0] * len(batch.counts)
    for proposal in proposals:
        batch.proposals.append(proposal)
        batch.by_key[proposal.key] = proposal
        batch.argument_bytes += proposal.argument_bytes
        counts[proposal.state] += 1
        batch.given_up += proposal.given_up
        batch.looking += proposal.looked_for
        if proposal.state is ProposalState.PROPOSED and proposal.asked_time is not None:
            batch.asked += 1
            if proposal.expire_time is not None:
                batch.expects_expiry(proposal.expire_time)
    batch.counts = counts
    batch.graph.add(
        (child.ordinal, [(batch.by_key[edge.key].ordinal, edge.when) for edge in child.depends_on])
        for child in batch.proposals
        if child.depends_on
    )
    for proposal in batch.proposals:
        if proposal.depends_on and proposal.state in _WAITING and not proposal.under_way:
            proposal.open_dependencies = sum(not satisfied(batch, edge) for edge in proposal.depends_on)
        if proposal.state is ProposalState.APPROVED and proposal.open_dependencies == 0:
            batch.ready_count += 1
    return batch


def references_of(arguments: str, *, edited: bool, invalid: bool) -> References | None:
    """Found again as when the proposal was added. Edited arguments are data; those at fault were never looked at."""
    if edited or invalid or not may_have_references(arguments):
        return None
    try:
        return find_references(parse(arguments)[0])
    except (JsonError, ReferenceFault):
        return None
