"""Adding proposals to a batch: what was judged becomes rows, edges and facts."""

from dataclasses import dataclass

from orchestrator_svc.domain import events
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.canonical import size_of
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import Condition, Dependency, Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.references import References
from orchestrator_svc.domain.tool import Effect, Failure, RetryPolicy, Tier, ToolKey


@dataclass(slots=True, eq=False)
class Judged:
    """A proposal that was found sound, or, with `failure` and without digest, at fault by itself.

    `depends_on` includes the references' keys.
    """

    key: str
    agent: str
    tool: ToolKey
    effect: Effect
    tier: Tier
    arguments: str
    digest: str
    references: References | None
    depends_on: tuple[Dependency, ...]
    title: str
    rationale: str
    labels: dict[str, str]
    idempotency_key: str
    timeout: int | None
    retry: RetryPolicy
    approval_deadline: int
    failure: Failure | None = None


def submitted(batch: Batch, changes: Changes, total: int) -> None:
    """The first fact of a batch."""
    changes.created = changes.hold = True
    if batch.deadline is not None:
        batch.deadline_time = changes.time + batch.deadline
        batch.start_deadline(changes)
    detail = events.BatchSubmitted(
        batch.session_id, batch.name, total, batch.open, batch.trace_id, batch.template, batch.principal
    )
    changes.emit_batch(detail)


def add(batch: Batch, changes: Changes, judged: list[Judged], principal: str) -> list[Proposal]:
    """Adds rows and facts; call `settle_added` when all are in, since they may depend on each other."""
    changes.hold = True
    return [_add_one(batch, changes, item, principal) for item in judged]


def _add_one(batch: Batch, changes: Changes, item: Judged, principal: str) -> Proposal:
    state = State.FAILED if item.failure else State.APPROVED if item.tier is Tier.AUTO else State.PROPOSED
    proposal = Proposal(
        len(batch.proposals) + 1,
        item.key,
        item.agent,
        item.tool,
        item.effect,
        item.tier,
        item.arguments,
        item.digest,
        item.references,
        item.depends_on,
        item.title,
        item.rationale,
        item.labels,
        item.idempotency_key,
        item.timeout,
        item.retry,
        item.approval_deadline,
        changes.time,
        principal,
        state,
    )
    if item.references is None and item.failure is None:
        proposal.bound_arguments, proposal.bound_digest = item.arguments, item.digest
    if item.failure is not None:
        proposal.failure, proposal.finish_time = item.failure, changes.time
    batch.proposals.append(proposal)
    batch.by_key[item.key] = proposal
    batch.counts[state] += 1
    if state is State.APPROVED:
        batch.ready_count += 1
    detail = events.ProposalAdded(
        proposal.ordinal,
        item.tool.name,
        item.tool.version,
        item.tier,
        item.effect,
        item.title,
        tuple([dependency.key for dependency in item.depends_on]),
        item.failure,
    )
    proposal.added_sequence = changes.emit(proposal, detail).sequence
    changes.new.append(proposal)
    batch.argument_bytes += size_of(item.arguments)
    changes.bytes += len(item.arguments)
    return proposal


def settle_added(batch: Batch, changes: Changes, added: list[Proposal]) -> None:
    """Ties the new ones to those they wait for, asks for decisions, and makes ready what waits for nothing."""
    batch.graph.add(
        (p.ordinal, [(batch.by_key[d.key].ordinal, d.when) for d in p.depends_on]) for p in added if p.depends_on
    )
    for proposal in added:
        if proposal.depends_on:
            batch.set_open(proposal, open_dependencies(batch, proposal))
    free = [proposal for proposal in added if proposal.open_dependencies == 0]
    for proposal in added:
        if proposal.depends_on and proposal.state in (State.PROPOSED, State.APPROVED):
            _skip_if_in_vain(batch, changes, proposal)
    for proposal in added:
        asks_unbound = proposal.tier is Tier.SOFT or proposal.bound
        if proposal.state is State.PROPOSED and proposal.asked_time is None and asks_unbound:
            batch.ask(changes, proposal)
    for proposal in free:
        if proposal.state is State.APPROVED and proposal.bound:
            batch.make_ready(changes, proposal)
        elif proposal.state is State.PROPOSED or proposal.state is State.APPROVED:
            unblocked(batch, changes, proposal)


def unblocked(batch: Batch, changes: Changes, proposal: Proposal) -> None:
    """Nothing keeps it waiting any more; where that makes it FAILED its dependents hear of it."""
    batch.unblocked(changes, proposal)
    if proposal.state is State.FAILED:
        batch.ended(changes, proposal)


def _skip_if_in_vain(batch: Batch, changes: Changes, proposal: Proposal) -> None:
    parent = in_vain(batch, proposal)
    if parent is not None:
        batch.skip(changes, proposal, parent.key)
        batch.ended(changes, proposal)


def in_vain(batch: Batch, proposal: Proposal) -> Proposal | None:
    """The first dependency that has ended (or was born FAILED), and not as this one needs it."""
    for dependency in proposal.depends_on:
        parent = batch.by_key[dependency.key]
        if parent.ended and not satisfied(batch, dependency):
            return parent
    return None


def open_dependencies(batch: Batch, proposal: Proposal) -> int:
    """How many it waits for, counted anew."""
    return sum(not satisfied(batch, dependency) for dependency in proposal.depends_on)


def satisfied(batch: Batch, dependency: Dependency) -> bool:
    """Whether it keeps nobody waiting any more."""
    parent = batch.by_key[dependency.key]
    if parent.state is State.SUCCEEDED:
        return True
    return dependency.when is Condition.FINISHED and parent.ended


def close(batch: Batch, changes: Changes, principal: str) -> None:
    """Nothing joins any more."""
    if batch.open:
        batch.open = False
        changes.emit_batch(events.BatchClosed(principal))
