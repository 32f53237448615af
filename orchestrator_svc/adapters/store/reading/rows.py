"""Rows as domain objects: the other direction of `rows` and `guard`."""

import orjson

from orchestrator_svc.adapters.store.documents import (
    read_attempts,
    read_decisions,
    read_failure,
    read_map,
    read_retry,
    read_strings,
)
from orchestrator_svc.adapters.store.hydration import references_of
from orchestrator_svc.adapters.store.reading.any_rows import AnyRow
from orchestrator_svc.adapters.store.rows import BOUND_AS_PROPOSED
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.binding import ArgumentsJudge
from orchestrator_svc.domain.proposal import Condition, Dependency, Proposal, ProposalState
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Effect, Tier, ToolKey


def read_edges(row: AnyRow) -> list[tuple[int, Condition]]:
    """(ordinal, when) of those that a proposal waits for."""
    return [(ordinal, Condition(when)) for ordinal, when in orjson.loads(row.depends_on)] if row.depends_on else []


def read_proposal(row: AnyRow, keys: dict[int, str]) -> Proposal:
    """`keys`: ordinal -> key, of those it depends on at least."""
    edited = row.edited_digest != ""
    arguments = row.edited_arguments if edited else row.proposed_arguments
    digest = row.edited_digest if edited else row.proposed_digest
    proposal = Proposal(
        ordinal=row.ordinal,
        key=row.key,
        agent=row.agent,
        tool=ToolKey(row.tool, row.version),
        effect=Effect(row.effect),
        tier=Tier(row.tier),
        arguments=arguments,
        digest=digest,
        references=references_of(arguments, edited=edited, invalid=digest == ""),
        depends_on=tuple([Dependency(keys[ordinal], when) for ordinal, when in read_edges(row)]),
        title=row.title,
        rationale=row.rationale,
        labels=read_map(row.labels),
        idempotency_key=row.idempotency_key,
        timeout=row.timeout or None,
        retry=read_retry(row.retry),
        approval_deadline=row.approval_deadline,
        create_time=row.create_time,
        principal=row.principal,
        state=ProposalState(row.state),
        added_sequence=row.added_sequence,
        revision=row.revision,
        original_arguments=row.proposed_arguments if edited else "",
    )
    _read_standing(proposal, row)
    return proposal


def _read_standing(proposal: Proposal, row: AnyRow) -> None:
    proposal.bound_arguments, proposal.bound_digest = row.bound_arguments, row.bound_digest
    if row.bound == BOUND_AS_PROPOSED:
        proposal.bound_arguments, proposal.bound_digest = proposal.arguments, proposal.digest
    proposal.decisions = read_decisions(row.decisions)
    proposal.attempts = read_attempts(row.attempts)
    proposal.uncounted = row.uncounted
    proposal.result = row.result or None
    proposal.failure = read_failure(row.failure)
    proposal.skipped_because = row.skipped_because
    proposal.skipped_from = ProposalState(row.skipped_from) if row.skipped_from else None
    proposal.missing_inputs = read_strings(row.missing_inputs)
    proposal.asked_time = row.asked_time or None
    proposal.expire_time = row.expire_time or None
    proposal.next_time = row.next_time or None
    proposal.ready_time = row.ready_time or None
    proposal.finish_time = row.finish_time or None
    proposal.operator, proposal.operator_reason = row.operator, row.operator_reason
    proposal.cancel_requested = bool(row.cancel_requested)


def read_batch(row: AnyRow, judge: ArgumentsJudge) -> Batch:
    """Without its proposals; `attach` gives it those, and the counts."""
    return Batch(
        id=row.id,
        tenant=row.tenant,
        session_id=row.session_id,
        principal=row.principal,
        create_time=row.create_time,
        judge=judge,
        name=row.name,
        labels=read_map(row.labels),
        template=row.template,
        trace_id=row.trace_id,
        trace_parent=row.trace_parent,
        context=row.context,
        open=bool(row.open),
        max_in_flight=row.max_in_flight,
        deadline=row.deadline,
        idle_timeout=row.idle_timeout,
        number=row.batch_no,
        session_no=row.session_no,
        epoch=row.epoch,
        incarnation=row.incarnation,
        head=row.head,
        state=BatchState(row.state),
        cancelling=bool(row.cancelling),
        finish_time=row.finish_time,
        deadline_time=row.deadline_time,
        deadline_left=row.deadline_left,
        reopened_after=row.reopened_after,
        idle_end=row.wake_time if row.state == BatchState.IDLE else None,
    )
