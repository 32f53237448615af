"""Trying again by hand, and resolving an unknown outcome: dependents that were skipped come back."""

from orchestrator_svc.domain import events
from orchestrator_svc.domain.adding import in_vain, open_dependencies
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.canonical import size_of
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.states import Resolution
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect, Tier
from shared.kernel.errors import ConflictError, GreenlightError, PreconditionError

_RETRYABLE = (State.FAILED, State.CANCELLED, State.EXPIRED)


def check_retry(batch: Batch, proposal: Proposal) -> GreenlightError | None:
    """What stands against it."""
    if batch.cancelling and not batch.state.finished:
        return being_cancelled(batch)
    if _can_be_retried(proposal):
        return None
    return PreconditionError(
        "NOT_RETRYABLE",
        f"{batch.proposal_id(proposal)} is {proposal.state.name}{_instead(batch, proposal)}",
        metadata={"state": proposal.state.name},
    )


def _can_be_retried(proposal: Proposal) -> bool:
    effect_done = proposal.failure is not None and proposal.failure.known_effect is KnownEffect.DONE
    return proposal.state in _RETRYABLE and not effect_done and bool(proposal.digest)


def _instead(batch: Batch, proposal: Proposal) -> str:
    """What to do; of one that was skipped: which other proposal is the cause."""
    if proposal.state is State.SKIPPED:
        cause = proposal
        while cause.state is State.SKIPPED:
            cause = batch.by_key[cause.skipped_because]
        because = f" because {batch.proposal_id(cause)} is {cause.state.name}"
        if _can_be_retried(cause):
            return f"{because}; retry that one, and this one comes back"
        return because + _instead(batch, cause)
    if proposal.state is State.FAILED and not proposal.digest:
        return "; its call is wrong and stays so: propose another"
    if proposal.state in (State.FAILED, State.OUTCOME_UNKNOWN):
        return "; resolve it instead"
    return "; it is never tried again" if proposal.state is State.REJECTED else "; nothing to retry"


def retry(batch: Batch, changes: Changes, proposal: Proposal, principal: str, reason: str) -> None:
    """A FAILED, CANCELLED or EXPIRED one goes on: approved if its approval still stands, else it is asked for again."""
    _reopen(batch, changes)
    stands = proposal.state is not State.EXPIRED and _approval_holds(batch, changes, proposal)
    proposal.operator, proposal.operator_reason = principal, reason
    _restart(batch, changes, proposal, State.APPROVED if stands else State.PROPOSED)
    changes.emit(proposal, events.ProposalRetried(principal, reason, proposal.revision))
    _go_on(batch, changes, proposal)


def being_cancelled(batch: Batch) -> PreconditionError:
    return PreconditionError(
        "BATCH_CANCELLING",
        f"{batch.id} is being cancelled; wait until that has ended",
        metadata={"state": batch.state.name},
    )


def _go_on(batch: Batch, changes: Changes, proposal: Proposal) -> None:
    """It waits in vain where a dependency is not retried with it: skipped until that one is."""
    parent = in_vain(batch, proposal)
    if parent is not None:
        batch.skip(changes, proposal, parent.key)
        return
    unskip_after(batch, changes, proposal)
    _continue(batch, changes, proposal)


def _approval_holds(batch: Batch, changes: Changes, proposal: Proposal) -> bool:
    if proposal.tier is Tier.AUTO:
        return True
    in_time = proposal.expire_time is None or changes.time < proposal.expire_time
    return in_time and bool(proposal.decisions) and batch.approval_stands(proposal)


def _restart(batch: Batch, changes: Changes, proposal: Proposal, to: State) -> None:
    """Clears how it ended. Attempts stay on record, and no longer count against the policy."""
    proposal.failure = proposal.result = proposal.next_time = None
    proposal.cancel_requested = False
    proposal.uncounted = len(proposal.attempts)
    proposal.revision += 1
    if to is State.PROPOSED:
        proposal.asked_time = proposal.expire_time = None
    if proposal.references is not None:
        batch.argument_bytes -= size_of(proposal.bound_arguments)
        proposal.bound_arguments = proposal.bound_digest = ""
        proposal.missing_inputs = ()
    proposal.open_dependencies = open_dependencies(batch, proposal)
    batch.move(changes, proposal, to)


def _continue(batch: Batch, changes: Changes, proposal: Proposal) -> None:
    """Where nothing keeps it waiting it is asked for or ready."""
    asks_unbound = proposal.tier is Tier.SOFT or proposal.bound
    if proposal.state is State.PROPOSED and proposal.asked_time is None and asks_unbound:
        batch.ask(changes, proposal)
    if proposal.open_dependencies == 0 and proposal.state in (State.PROPOSED, State.APPROVED):
        batch.unblocked(changes, proposal)
        if proposal.state is State.FAILED:
            batch.ended(changes, proposal)


def unskip_after(batch: Batch, changes: Changes, proposal: Proposal) -> None:
    """Of one that had ended: those skipped because of it (and so on down) are where they were; those still waiting wait
    for it again."""
    stack, back = [proposal], dict[int, Proposal]()
    while stack:
        for edge in batch.graph.children(stack.pop().ordinal):
            child = batch.proposals[edge.child - 1]
            if child.state is State.SKIPPED and child.skipped_from is not None:
                if in_vain(batch, child) is not None:
                    continue
                _unskip(batch, changes, child, child.skipped_from)
                stack.append(child)
            elif child.state is State.PROPOSED or child.state is State.APPROVED:
                if child.under_way:
                    continue
                _unbind(batch, changes, child)
            else:
                continue
            back[child.ordinal] = child
    for child in back.values():
        batch.set_open(child, open_dependencies(batch, child))
    for child in back.values():
        _continue(batch, changes, child)


def _unbind(batch: Batch, changes: Changes, child: Proposal) -> None:
    """It goes on when its dependencies are done once more, with what they give then."""
    changes.touch(child)
    if child.references is None:
        return
    batch.argument_bytes -= size_of(child.bound_arguments)
    child.bound_arguments = child.bound_digest = ""
    child.missing_inputs = ()
    child.revision += 1
    if child.state is State.PROPOSED and child.tier is Tier.HARD and child.asked_time is not None:
        child.asked_time = child.expire_time = None
        batch.asked -= 1


def _unskip(batch: Batch, changes: Changes, child: Proposal, to: State) -> None:
    child.skipped_because, child.skipped_from = "", None
    _restart(batch, changes, child, to)
    changes.emit(child, events.ProposalUnskipped(child.revision))


def check_resolve(batch: Batch, proposal: Proposal, revision: int | None) -> GreenlightError | None:
    """What stands against it."""
    if batch.cancelling and not batch.state.finished:
        return being_cancelled(batch)
    done = proposal.state is State.FAILED and (
        proposal.failure is not None and proposal.failure.known_effect is KnownEffect.DONE
    )
    if proposal.state is not State.OUTCOME_UNKNOWN and not done:
        return PreconditionError(
            "NOT_RESOLVABLE",
            f"{batch.proposal_id(proposal)} is {proposal.state.name}; only an OUTCOME_UNKNOWN one, or a FAILED one "
            "whose effect is DONE, can be resolved",
            metadata={"state": proposal.state.name},
        )
    if revision is not None and revision != proposal.revision:
        return ConflictError(
            "REVISION_MISMATCH",
            f"revision {revision} was seen, {proposal.revision} stands; look again",
            metadata={"revision": str(proposal.revision)},
        )
    return None


def resolve(
    batch: Batch,
    changes: Changes,
    proposal: Proposal,
    resolution: Resolution,
    principal: str,
    reason: str,
    result: str,
) -> None:
    """What a person found out. `result`: JSON text, with SUCCEEDED."""
    _reopen(batch, changes)
    was_failed, given_up = proposal.state is State.FAILED, proposal.given_up
    proposal.operator, proposal.operator_reason = principal, reason
    may_still_run = resolution is Resolution.RUN_AGAIN and any(attempt.may_still_run for attempt in proposal.attempts)
    detail = events.ProposalResolved(resolution, principal, reason, result, may_still_run)
    if resolution is Resolution.RUN_AGAIN:
        _restart(batch, changes, proposal, State.APPROVED)
        changes.emit(proposal, detail)
        _go_on(batch, changes, proposal)
        return
    if resolution is Resolution.SUCCEEDED:
        proposal.result, proposal.failure = result, None
        batch.move(changes, proposal, State.SUCCEEDED)
        changes.emit(proposal, detail)
        if was_failed or given_up:
            unskip_after(batch, changes, proposal)
            return
    elif not was_failed:
        proposal.failure = Failure(FailureClass.PERMANENT, KnownEffect.NONE, "RESOLVED_FAILED", reason)
        batch.move(changes, proposal, State.FAILED)
        changes.emit(proposal, detail)
    else:
        changes.touch(proposal)
        changes.emit(proposal, detail)
        return
    if given_up:
        return
    batch.ended(changes, proposal)


def _reopen(batch: Batch, changes: Changes) -> None:
    changes.hold = True
    if batch.state.finished:
        batch.cancelling = False
