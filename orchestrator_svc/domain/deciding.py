"""Decisions: checked against what stands now, then made. A fault is an answer, not an exception."""

from dataclasses import dataclass

from orchestrator_svc.domain import events
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import DecisionRecord, Proposal, Verdict
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.tool import Tier
from shared.kernel.errors import (
    ConflictError,
    DeniedError,
    GreenlightError,
    InvalidError,
    PreconditionError,
)


@dataclass(frozen=True, slots=True)
class Edit:
    """Arguments to run instead: canonical, judged, without references; and their digest."""

    arguments: str
    digest: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision on one proposal of the batch. `digest` empty and `revision` None: not given."""

    key: str
    verdict: Verdict
    message: str = ""
    digest: str = ""
    revision: int | None = None
    edit: Edit | None = None
    accept_unbound: bool = False
    soft_confirmed: bool = False


def check(batch: Batch, decision: Decision, principal: str, self_approval: bool) -> GreenlightError | None:
    """What stands against it; None where it can be made, or was made already."""
    proposal = batch.by_key[decision.key]
    if repeats(proposal, decision):
        return None
    error = check_pending(batch, proposal)
    if error is not None:
        return error
    if decision.revision is not None and decision.revision != proposal.revision:
        return ConflictError(
            "REVISION_MISMATCH",
            f"revision {decision.revision} was seen, {proposal.revision} stands; look again, then decide",
            metadata={"revision": str(proposal.revision)},
        )
    return _check_digest(batch, proposal, decision) or _check_self(batch, proposal, decision, principal, self_approval)


def check_pending(batch: Batch, proposal: Proposal) -> PreconditionError | None:
    """None where it can be decided."""
    if proposal.state is State.PROPOSED:
        return None
    return PreconditionError(
        "PROPOSAL_NOT_PENDING",
        f"{batch.proposal_id(proposal)} is {proposal.state.name}; only a PROPOSED one can be decided",
        metadata={"state": proposal.state.name},
    )


def _check_digest(batch: Batch, proposal: Proposal, decision: Decision) -> GreenlightError | None:
    expected = proposal.decidable_digest
    if decision.digest and decision.digest != expected:
        return ConflictError(
            "DIGEST_MISMATCH",
            "what was seen is not what would run; look again, then decide",
            metadata={"digest": expected},
        )
    if decision.verdict is Verdict.REJECT or proposal.tier is not Tier.HARD:
        return None
    if not decision.digest:
        return InvalidError("DIGEST_REQUIRED", "a HARD proposal is approved by its digest (Proposal.digest)")
    if not proposal.bound and decision.edit is None and not decision.accept_unbound:
        return PreconditionError(
            "NOT_BOUND",
            f"{batch.proposal_id(proposal)} refers to results that are not there yet; wait until it is asked for, "
            "or decide with accept_unbound",
        )
    return None


def _check_self(
    batch: Batch, proposal: Proposal, decision: Decision, principal: str, self_approval: bool
) -> GreenlightError | None:
    if (
        decision.verdict is Verdict.APPROVE
        and proposal.tier is Tier.HARD
        and principal == proposal.principal
        and not self_approval
    ):
        return DeniedError("SELF_APPROVAL", f"{principal} proposed {batch.proposal_id(proposal)} and cannot approve it")
    return None


def repeats(proposal: Proposal, decision: Decision) -> bool:
    """Whether exactly this stands already."""
    if proposal.state in (State.PROPOSED, State.EXPIRED) or not proposal.decisions:
        return False
    last = proposal.decisions[-1]
    if last.verdict is not decision.verdict:
        return False
    if decision.edit is not None:
        return last.edited and last.digest == decision.edit.digest
    return not last.edited and decision.digest in ("", last.digest)


def make(batch: Batch, changes: Changes, decision: Decision, principal: str) -> None:
    """Makes a decision that `check` let through. What is ready then waits for the commit."""
    proposal = batch.by_key[decision.key]
    if repeats(proposal, decision):
        return
    changes.hold = True
    if decision.edit is not None:
        batch.argument_bytes -= proposal.argument_bytes
        _edit(proposal, decision.edit)
        batch.argument_bytes += proposal.argument_bytes
        changes.bytes += proposal.argument_bytes
    digest = decision.edit.digest if decision.edit else proposal.decidable_digest
    record = DecisionRecord(
        decision.verdict,
        principal,
        decision.message,
        digest,
        decision.edit is not None,
        decision.accept_unbound and not proposal.bound,
        decision.soft_confirmed,
        changes.time,
    )
    proposal.decisions = (*proposal.decisions, record)
    proposal.revision += 1
    rejected = decision.verdict is Verdict.REJECT
    batch.move(changes, proposal, State.REJECTED if rejected else State.APPROVED)
    changes.emit(proposal, events.ProposalDecided(record, proposal.revision))
    if rejected:
        batch.ended(changes, proposal)
    elif proposal.open_dependencies == 0:
        batch.unblocked(changes, proposal)
        if proposal.state is State.FAILED:
            batch.ended(changes, proposal)


def _edit(proposal: Proposal, edit: Edit) -> None:
    proposal.original_arguments = proposal.original_arguments or proposal.arguments
    proposal.arguments = proposal.bound_arguments = edit.arguments
    proposal.digest = proposal.bound_digest = edit.digest
    proposal.references = None
    proposal.missing_inputs = ()
