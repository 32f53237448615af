"""A proposal with all that is on record of it, and its answer, as messages."""

from greenlight.orchestrator.v1 import proposal_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.api.mapping.values import duration, failure, timestamp
from orchestrator_svc.application.summaries import Answered, Waiting
from orchestrator_svc.domain.digest import idempotency_key
from orchestrator_svc.domain.proposal import Attempt, DecisionRecord, Dependency, Probe, Proposal, Timing, Verdict
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.ports.views import ProposalView


def proposal_message(answered: Answered) -> pb.Proposal:
    view, p = answered.view, answered.view.proposal
    return pb.Proposal(
        proposal_id=f"{view.batch_id}/{p.key}",
        batch_id=view.batch_id,
        session_id=view.session_id,
        key=p.key,
        ordinal=p.ordinal,
        agent=p.agent,
        tool=p.tool.name,
        version=p.tool.version,
        effect=tool_pb2.Effect.ValueType(p.effect),
        tier=tool_pb2.Tier.ValueType(p.tier),
        state=pb.ProposalState.ValueType(p.state),
        revision=p.revision,
        title=p.title,
        rationale=p.rationale,
        labels=p.labels,
        depends_on=[_dependency(dependency) for dependency in p.depends_on],
        proposed_arguments_json=p.arguments,
        proposed_digest=p.digest,
        bound_arguments_json=p.bound_arguments,
        bound_digest=p.bound_digest,
        original_arguments_json=p.original_arguments,
        digest=p.decidable_digest,
        idempotency_key=_idempotency_key(view, p),
        waiting=_waiting(answered.waiting),
        decisions=[_decision(record) for record in p.decisions],
        attempts=[_attempt(attempt, view.record_times.get(attempt.number)) for attempt in p.attempts],
        result_json=p.result or "",
        failure=failure(p.failure),
        skipped_because=p.skipped_because if p.state is State.SKIPPED else "",
        missing_inputs=p.missing_inputs,
        create_time=timestamp(p.create_time),
        expire_time=timestamp(p.expire_time),
        finish_time=timestamp(p.finish_time),
        decision_wait=duration(_decision_wait(p)),
        principal=p.principal,
        last_operator=p.operator,
        last_operator_reason=p.operator_reason,
    )


def bare_answer(answered: Answered, batch_id: str) -> pb.Answer:
    """Without its result. `batch_id`: only where a Summary spans several."""
    p = answered.view.proposal
    message = pb.Answer(
        key=p.key, agent=p.agent, tool=p.tool.name, state=pb.ProposalState.ValueType(p.state), batch_id=batch_id
    )
    if p.attempts:
        message.attempts = len(p.attempts)
    if p.state is State.SUCCEEDED and not p.missing_inputs:
        return message
    if p.failure is not None:
        message.failure.MergeFrom(failure(p.failure) or tool_pb2.Failure())
    if p.state is State.REJECTED:
        message.message = next((d.message for d in reversed(p.decisions) if d.verdict is Verdict.REJECT), "")
    elif p.state is State.SKIPPED:
        message.skipped_because = p.skipped_because
    elif p.state is State.CANCELLED:
        message.message = p.operator_reason
    message.missing_inputs.extend(p.missing_inputs)
    waiting = _waiting(answered.waiting)
    if waiting is not None:
        message.waiting.MergeFrom(waiting)
    return message


def _dependency(dependency: Dependency) -> pb.Dependency:
    return pb.Dependency(key=dependency.key, when=pb.DependencyCondition.ValueType(dependency.when))


def _idempotency_key(view: ProposalView, p: Proposal) -> str:
    if p.idempotency_key or not p.bound:
        return p.idempotency_key
    return idempotency_key(view.tenant, f"{view.batch_id}/{p.key}", p.bound_digest)


def _decision_wait(p: Proposal) -> int | None:
    """From asked for to decided; a decision that came before (accept_unbound) waited for nothing."""
    if p.asked_time is None or not p.decisions:
        return None
    return max(0, p.decisions[-1].time - p.asked_time)


def _waiting(waiting: Waiting | None) -> pb.Waiting | None:
    if waiting is None:
        return None
    return pb.Waiting(
        reason=pb.WaitingReason.ValueType(waiting.reason),
        since_time=timestamp(waiting.since),
        until_time=timestamp(waiting.until),
        keys=waiting.keys,
    )


def _decision(record: DecisionRecord) -> pb.DecisionRecord:
    return pb.DecisionRecord(
        verdict=pb.Verdict.ValueType(record.verdict),
        principal=record.principal,
        message=record.message,
        digest=record.digest,
        edited=record.edited,
        accept_unbound=record.accept_unbound,
        soft_confirmed=record.soft_confirmed,
        decide_time=timestamp(record.time),
    )


def _attempt(attempt: Attempt, record_time: int | None) -> pb.Attempt:
    timing = (attempt.timing or Timing(attempt.queue_wait))._replace(record=record_time)
    return pb.Attempt(
        number=attempt.number,
        executor_id=attempt.executor_id,
        boot_id=attempt.boot_id,
        dispatch_time=timestamp(attempt.dispatch_time),
        start_time=timestamp(attempt.start_time),
        finish_time=timestamp(attempt.finish_time),
        failure=failure(attempt.failure),
        timing=pb.Timing(
            queue_wait=duration(timing.queue_wait),
            executor_queue=duration(timing.executor_queue),
            tool=duration(timing.tool),
            wire=duration(timing.wire),
            record=duration(timing.record),
        ),
        may_still_run=attempt.may_still_run,
        probe=_probe(attempt.probe) if attempt.probe is not None else None,
    )


def _probe(probe: Probe) -> pb.Probe:
    return pb.Probe(
        finding=pb.ProbeFinding.ValueType(probe.finding),
        probe_time=timestamp(probe.time),
        count=probe.number,
        message=probe.message,
    )
