"""Proposals and their rows: tuples in the order of the columns below, so that a thousand rows are one `executemany`."""

from typing import Any

from orchestrator_svc.adapters.store.documents import (
    dumps,
    write_attempts,
    write_decisions,
    write_failure,
    write_map,
    write_retry,
    write_strings,
)
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.proposal import Proposal, ProposalRecord

# What is known when a proposal is added, and stays.
PROPOSED = (
    "batch_no",
    "ordinal",
    "tenant",
    "key",
    "agent",
    "tier",
    "effect",
    "tool",
    "version",
    "added_sequence",
    "create_time",
    "approval_deadline",
    "timeout",
    "labels",
    "depends_on",
    "retry",
    "principal",
    "idempotency_key",
    "title",
    "rationale",
    "proposed_arguments",
    "proposed_digest",
    "text_bytes",
)
# What a record says, and whose it is.
MOVING = (
    "state",
    "revision",
    "edited_arguments",
    "edited_digest",
    "bound",
    "bound_arguments",
    "bound_digest",
    "decisions",
    "attempts",
    "uncounted",
    "result",
    "failure",
    "skipped_because",
    "skipped_from",
    "missing_inputs",
    "asked_time",
    "expire_time",
    "next_time",
    "ready_time",
    "finish_time",
    "operator",
    "operator_reason",
    "cancel_requested",
    "text_bytes",
    "result_bytes",
)
OF_PROPOSAL = ("batch_no", "ordinal")

NOT_BOUND, BOUND_AS_PROPOSED, BOUND_OTHERWISE = range(3)


def proposed_row(number: int, batch: Batch, proposal: Proposal, record: ProposalRecord) -> tuple[Any, ...]:
    """In the order of PROPOSED."""
    depends_on = ""
    if proposal.depends_on:
        by_key = batch.by_key
        depends_on = dumps([(by_key[edge.key].ordinal, edge.when) for edge in proposal.depends_on]).decode()
    arguments, labels = record.original_arguments or record.arguments, write_map(proposal.labels)
    return (
        number,
        proposal.ordinal,
        batch.tenant,
        proposal.key,
        proposal.agent,
        int(proposal.tier),
        int(proposal.effect),
        proposal.tool.name,
        proposal.tool.version,
        proposal.added_sequence,
        proposal.create_time,
        proposal.approval_deadline,
        proposal.timeout or 0,
        labels,
        depends_on,
        write_retry(proposal.retry),
        proposal.principal,
        proposal.idempotency_key,
        proposal.title,
        proposal.rationale,
        arguments,
        "" if record.original_arguments else record.digest,
        size_of(arguments) + len(proposal.title) + len(proposal.rationale) + len(labels) + len(depends_on),
    )


def standing_row(number: int, record: ProposalRecord) -> tuple[Any, ...]:
    """In the order of MOVING, then OF_PROPOSAL."""
    edited, edited_digest = (record.arguments, record.digest) if record.original_arguments else ("", "")
    bound, bound_arguments, bound_digest = _binding(record)
    decisions = write_decisions(record.decisions) if record.decisions else ""
    attempts = write_attempts(record.attempts) if record.attempts else ""
    failure = write_failure(record.failure) if record.failure is not None else ""
    result = record.result or ""
    return (
        int(record.state),
        record.revision,
        edited,
        edited_digest,
        bound,
        bound_arguments,
        bound_digest,
        decisions,
        attempts,
        record.uncounted,
        result,
        failure,
        record.skipped_because,
        record.skipped_from or 0,
        write_strings(record.missing_inputs) if record.missing_inputs else "",
        record.asked_time or 0,
        record.expire_time or 0,
        record.next_time or 0,
        record.ready_time or 0,
        record.finish_time or 0,
        record.operator,
        record.operator_reason,
        1 if record.cancel_requested else 0,
        size_of(edited) + size_of(bound_arguments) + len(decisions) + len(attempts) + len(failure),
        size_of(result),
        number,
        record.ordinal,
    )


def _binding(record: ProposalRecord) -> tuple[int, str, str]:
    """`bound`, and the bound arguments and digest where they are not the proposed ones."""
    if not record.bound_digest:
        return (NOT_BOUND, "", "")
    if record.bound_digest == record.digest and record.bound_arguments == record.arguments:
        return (BOUND_AS_PROPOSED, "", "")
    return (BOUND_OTHERWISE, record.bound_arguments, record.bound_digest)


def size_of(text: str) -> int:
    """Bytes, as the database counts them: of what may be large. The rest is counted in characters, which costs less."""
    return len(text) if text.isascii() else len(text.encode())
