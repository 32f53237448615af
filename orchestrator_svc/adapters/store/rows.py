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
FIXED = (
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
)
# What a record says.
MOVING = (
    "state",
    "revision",
    "arguments",
    "digest",
    "original_arguments",
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
)
ADDED = FIXED + MOVING

NOT_BOUND, BOUND_AS_PROPOSED, BOUND_OTHERWISE = range(3)


def added_row(number: int, batch: Batch, proposal: Proposal, record: ProposalRecord) -> tuple[Any, ...]:
    """In the order of ADDED."""
    depends_on = ""
    if proposal.depends_on:
        by_key = batch.by_key
        depends_on = dumps([(by_key[edge.key].ordinal, edge.when) for edge in proposal.depends_on]).decode()
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
        write_map(proposal.labels),
        depends_on,
        write_retry(proposal.retry),
        proposal.principal,
        proposal.idempotency_key,
        proposal.title,
        proposal.rationale,
        *_moving(record),
    )


def changed_row(number: int, record: ProposalRecord) -> tuple[Any, ...]:
    """In the order of MOVING, then the key."""
    return (*_moving(record), number, record.ordinal)


def _moving(record: ProposalRecord) -> tuple[Any, ...]:
    (
        _ordinal,
        state,
        revision,
        arguments,
        digest,
        original_arguments,
        bound_arguments,
        bound_digest,
        decisions,
        attempts,
        uncounted,
        result,
        failure,
        skipped_because,
        skipped_from,
        missing_inputs,
        asked_time,
        expire_time,
        next_time,
        ready_time,
        finish_time,
        operator,
        operator_reason,
        cancel_requested,
    ) = record
    bound = BOUND_OTHERWISE
    if not bound_digest:
        bound = NOT_BOUND
    elif bound_digest == digest and bound_arguments == arguments:
        bound, bound_arguments, bound_digest = BOUND_AS_PROPOSED, "", ""
    return (
        int(state),
        revision,
        arguments,
        digest,
        original_arguments,
        bound,
        bound_arguments,
        bound_digest,
        write_decisions(decisions) if decisions else "",
        write_attempts(attempts) if attempts else "",
        uncounted,
        result or "",
        write_failure(failure) if failure is not None else "",
        skipped_because,
        skipped_from or 0,
        write_strings(missing_inputs) if missing_inputs else "",
        asked_time or 0,
        expire_time or 0,
        next_time or 0,
        ready_time or 0,
        finish_time or 0,
        operator,
        operator_reason,
        1 if cancel_requested else 0,
    )
