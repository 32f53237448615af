"""Resuming a batch: everything in it that can be tried again is, those first that others depend on."""

from graphlib import TopologicalSorter

from orchestrator_svc.domain.adding import in_vain
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.retrying import being_cancelled, check_retry, retry
from shared.kernel.errors import GreenlightError, PreconditionError

_WITHOUT_RESULT = frozenset(
    {State.FAILED, State.REJECTED, State.EXPIRED, State.SKIPPED, State.CANCELLED, State.OUTCOME_UNKNOWN}
)


def resume(
    batch: Batch, changes: Changes, principal: str, reason: str
) -> list[tuple[Proposal, GreenlightError | None]]:
    """What stands against each proposal that had ended without a result, in order; None: it goes on.

    One that would be skipped at once, because of what is not tried again, stays as it is. Raises PreconditionError
    (BATCH_CANCELLING).
    """
    if batch.cancelling and not batch.state.finished:
        raise being_cancelled(batch)
    ended = {proposal.ordinal: proposal for proposal in batch.proposals if proposal.state in _WITHOUT_RESULT}
    went_on: set[int] = set()
    for ordinal in _parents_first(batch, ended):
        proposal = ended[ordinal]
        if check_retry(batch, proposal) is None and in_vain(batch, proposal) is None:
            retry(batch, changes, proposal, principal, reason)
            went_on.add(ordinal)
    back = {ordinal for ordinal, p in ended.items() if ordinal in went_on or p.state not in _WITHOUT_RESULT}
    return [(p, None if ordinal in back else _against(batch, p)) for ordinal, p in ended.items()]


def _parents_first(batch: Batch, ended: dict[int, Proposal]) -> list[int]:
    """Ordinals. Input order will not do: a proposal may depend on a later one."""
    parents = {ordinal: [batch.by_key[d.key].ordinal for d in p.depends_on] for ordinal, p in ended.items()}
    return [ordinal for ordinal in TopologicalSorter(parents).static_order() if ordinal in ended]


def _against(batch: Batch, proposal: Proposal) -> GreenlightError:
    error = check_retry(batch, proposal)
    if error is not None:
        return error
    parent = in_vain(batch, proposal)
    assert parent is not None
    stays = f"{batch.proposal_id(proposal)} stays {proposal.state.name}: it depends on {batch.proposal_id(parent)}"
    return PreconditionError(
        "NOT_RETRYABLE",
        f"{stays}, which is {parent.state.name} and is not tried again",
        metadata={"state": proposal.state.name, "because": parent.key},
    )
