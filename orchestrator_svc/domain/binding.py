"""Binding: references are filled in, the result is judged as what was submitted was, and gets its own digest."""

from collections.abc import Mapping
from typing import Any, Protocol

from orchestrator_svc.domain import events
from orchestrator_svc.domain.canonical import JsonError, parse, size_of, write
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.digest import call_digest
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.references import MAX_BOUND_BYTES, BoundTooLargeFault, ReferenceFault, fill
from orchestrator_svc.domain.sources import Sources
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect, ToolKey

_REMEDY = "refer to less (`path` takes a part of a result), or submit several batches"


class ArgumentsJudge(Protocol):
    """Knows the tools."""

    def fill_and_check(self, tool: ToolKey, value: Any) -> tuple[bool, list[str]]:
        """Fills the schema's defaults into the arguments; returns whether there were any, and what is wrong (or [])."""
        ...

    def can_look(self, tool: ToolKey) -> bool:
        """Whether anybody is there who can look for the effect of its calls."""
        ...


def bind(by_key: Mapping[str, Proposal], judge: ArgumentsJudge, changes: Changes, proposal: Proposal) -> Failure | None:
    """Fills in the results of its dependencies. Returns what is wrong with what came of it; then nothing is bound."""
    keys = proposal.references.by_key() if proposal.references is not None else {}
    if changes.sources is None:
        changes.sources = Sources()
    batch = changes.batch
    limit = min(MAX_BOUND_BYTES, batch.max_arguments - batch.argument_bytes)
    try:
        text, missing = fill(proposal.arguments, {key: by_key[key].result for key in keys}, changes.sources, limit)
        text, problems = _judge(judge, proposal, text, limit)
    except BoundTooLargeFault as fault:
        whole = f"with these the batch's arguments have more than {batch.max_arguments:,} bytes in all; {_REMEDY}"
        return _failure("ARGUMENTS_TOO_LARGE", str(fault) if limit == MAX_BOUND_BYTES else whole)
    except ReferenceFault as fault:
        return _failure("REFERENCE_INVALID", str(fault))
    if problems:
        return _failure("ARGUMENTS_INVALID", "; ".join(problems))
    proposal.bound_arguments, proposal.bound_digest = text, call_digest(proposal.tool, text)
    proposal.missing_inputs = missing
    proposal.revision += 1
    batch.argument_bytes += size_of(text)
    changes.bytes += len(text)
    changes.touch(proposal)
    changes.emit(proposal, events.ProposalBound(proposal.bound_digest, proposal.revision, missing))
    return None


def _judge(judge: ArgumentsJudge, proposal: Proposal, text: str, limit: int) -> tuple[str, list[str]]:
    """The text with the schema's defaults in it. Its value is read anew: what is filled in is nobody else's."""
    try:
        value, _ = parse(text)
    except JsonError as error:
        raise ReferenceFault("", f"with the results filled in: {error}") from None
    filled, problems = judge.fill_and_check(proposal.tool, value)
    if filled and not problems:
        text = write(value)
        if size_of(text) > limit:
            raise BoundTooLargeFault(limit)
    return text, problems


def _failure(reason: str, message: str) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENT, KnownEffect.NONE, reason, message)
