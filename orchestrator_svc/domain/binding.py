"""Binding: references are filled in, the result is judged as what was submitted was, and gets its own digest."""

from collections.abc import Mapping
from typing import Any, Protocol

from orchestrator_svc.domain import events
from orchestrator_svc.domain.canonical import write
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.digest import call_digest
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.references import MAX_BOUND_BYTES, BoundTooLargeFault, ReferenceFault, fill
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect, ToolKey


class ArgumentsJudge(Protocol):
    """Knows the tools' schemas."""

    def prepare(self, tool: ToolKey, value: Any) -> tuple[Any, list[str]]:
        """Returns the arguments with the schema's defaults filled in, and what is wrong with them (nothing: [])."""
        ...


def bind(by_key: Mapping[str, Proposal], judge: ArgumentsJudge, changes: Changes, proposal: Proposal) -> Failure | None:
    """Fills in the results of its dependencies. Returns what is wrong with what came of it; then nothing is bound."""
    keys = proposal.references.by_key() if proposal.references is not None else {}
    try:
        value, text, missing = fill(proposal.arguments, {key: by_key[key].result for key in keys})
    except ReferenceFault as fault:
        too_large = isinstance(fault, BoundTooLargeFault)
        return _failure("ARGUMENTS_TOO_LARGE" if too_large else "REFERENCE_INVALID", str(fault))
    value, problems = judge.prepare(proposal.tool, value)
    if problems:
        return _failure("ARGUMENTS_INVALID", "; ".join(problems))
    text = write(value)
    if len(text) > MAX_BOUND_BYTES and len(text.encode()) > MAX_BOUND_BYTES:
        return _failure("ARGUMENTS_TOO_LARGE", "the bound arguments have more than 1 MiB")
    proposal.bound_arguments, proposal.bound_digest = text, call_digest(proposal.tool, text)
    proposal.missing_inputs = missing
    proposal.revision += 1
    changes.touch(proposal)
    changes.emit(proposal, events.ProposalBound(proposal.bound_digest, proposal.revision, missing))
    return None


def _failure(reason: str, message: str) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENT, KnownEffect.NONE, reason, message)
