"""Showing a batch from memory: what a reader of the store would see, where memory stands at a committed sequence."""

from orchestrator_svc.domain.adding import satisfied
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.ports.views import AgentTally, BatchView, ProposalView


def batch_view(batch: Batch) -> BatchView:
    tallies: dict[str, list[int]] = {}
    for proposal in batch.proposals:
        counts = tallies.get(proposal.agent)
        if counts is None:
            counts = tallies[proposal.agent] = [0] * len(batch.counts)
        counts[proposal.state] += 1
    return BatchView(
        id=batch.id,
        tenant=batch.tenant,
        number=batch.number,
        session_id=batch.session_id,
        session_no=batch.session_no,
        name=batch.name,
        labels=batch.labels,
        template=batch.template,
        principal=batch.principal,
        trace_id=batch.trace_id,
        state=batch.state,
        head=batch.head,
        counts=tuple(batch.counts),
        asked=batch.asked,
        given_up=batch.given_up,
        open=batch.open,
        max_in_flight=batch.max_in_flight,
        create_time=batch.create_time,
        finish_time=batch.finish_time,
        deadline_time=batch.deadline_time,
        agents=[AgentTally(name, tuple(counts)) for name, counts in tallies.items()],
        missing=list(batch.missing()) if batch.state.finished else [],
    )


def proposal_views(batch: Batch) -> list[ProposalView]:
    return [
        ProposalView(proposal, batch.id, batch.number, batch.session_id, batch.tenant, _waiting_for(batch, proposal))
        for proposal in batch.proposals
    ]


def _waiting_for(batch: Batch, proposal: Proposal) -> list[str]:
    if proposal.open_dependencies == 0 or proposal.state not in (State.PROPOSED, State.APPROVED):
        return []
    return [dependency.key for dependency in proposal.depends_on if not satisfied(batch, dependency)]
