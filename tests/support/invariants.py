"""What must hold of a batch after every step, worked out from scratch: no counter is believed."""

from collections.abc import Sequence

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.events import Event, ProposalResolved, ProposalRetried
from orchestrator_svc.domain.lifecycle import MOVES
from orchestrator_svc.domain.proposal import UNFINISHED, Condition, Dependency, Proposal, Verdict
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Tier

WAITING = (State.PROPOSED, State.APPROVED)


def done(batch: Batch, dependency: Dependency) -> bool:
    parent = batch.by_key[dependency.key]
    return parent.state is State.SUCCEEDED or (dependency.when is Condition.FINISHED and over(parent))


def over(proposal: Proposal) -> bool:
    """Nobody waits for it: it ended, or its outcome is unknown and was given up."""
    return proposal.state not in UNFINISHED or proposal.finish_time is not None


def in_vain(batch: Batch, proposal: Proposal) -> bool:
    return any(over(batch.by_key[edge.key]) and not done(batch, edge) for edge in proposal.depends_on)


def waits_for(batch: Batch, proposal: Proposal) -> int:
    """One that was sent goes on as it was sent, whatever is tried again above it."""
    if len(proposal.attempts) > proposal.uncounted:
        return 0
    return sum(not done(batch, edge) for edge in proposal.depends_on)


def approved(proposal: Proposal) -> bool:
    """Promise 1, read again from the decisions on record."""
    if proposal.tier is Tier.AUTO:
        return True
    last = proposal.decisions[-1] if proposal.decisions else None
    if last is None or last.verdict is Verdict.REJECT:
        return False
    for decision in proposal.decisions:
        of_proposed = decision.digest == proposal.digest and (proposal.tier is Tier.SOFT or decision.accept_unbound)
        if decision.verdict is Verdict.APPROVE and (decision.digest == proposal.bound_digest or of_proposed):
            return True
    return False


def state_of(batch: Batch) -> BatchState:
    """The document's words, in its order."""
    states = [proposal.state for proposal in batch.proposals]
    unknown = State.OUTCOME_UNKNOWN in states
    if batch.cancelling and any(state in (*WAITING, State.RUNNING) for state in states):
        return BatchState.CANCELLING
    if not batch.cancelling:
        ready = [p for p in batch.proposals if p.state is State.APPROVED and waits_for(batch, p) == 0]
        if State.RUNNING in states or ready or any(p.looked_for for p in batch.proposals):
            return BatchState.RUNNING
        if any(state in WAITING for state in states) or any(
            p.state is State.OUTCOME_UNKNOWN and not over(p) for p in batch.proposals
        ):
            return BatchState.BLOCKED
        if batch.open:
            return BatchState.IDLE
    return _verdict(states, unknown, batch.cancelling)


def _verdict(states: Sequence[State], unknown: bool, cancelled: bool) -> BatchState:
    if unknown or (State.SUCCEEDED in states and {*states} != {State.SUCCEEDED}):
        return BatchState.PARTIAL
    if not states:
        return BatchState.CANCELLED if cancelled else BatchState.SUCCEEDED
    if State.SUCCEEDED in states:
        return BatchState.SUCCEEDED
    if State.FAILED in states or State.EXPIRED in states:
        return BatchState.FAILED
    return BatchState.REJECTED if State.REJECTED in states else BatchState.CANCELLED


def check_counts(batch: Batch) -> None:
    counts = [0] * 11
    for proposal in batch.proposals:
        counts[proposal.state] += 1
        if proposal.state in WAITING:
            assert proposal.open_dependencies == waits_for(batch, proposal), proposal.key
    assert batch.counts == counts
    assert batch.given_up == sum(p.state is State.OUTCOME_UNKNOWN and over(p) for p in batch.proposals)
    assert batch.looking == sum(p.looked_for for p in batch.proposals)
    ready = [p for p in batch.proposals if p.state is State.APPROVED and waits_for(batch, p) == 0]
    assert batch.ready_count == len(ready)
    asked = [p for p in batch.proposals if p.state is State.PROPOSED and p.asked_time is not None]
    assert batch.asked == len(asked)
    assert batch.state is state_of(batch)


def check_promises(batch: Batch) -> None:
    for proposal in batch.proposals:
        if proposal.state is State.RUNNING:
            assert proposal.bound, f"{proposal.key} runs unbound"
            assert approved(proposal), f"{proposal.key} runs unapproved"
        if proposal.state in WAITING:
            assert not batch.cancelling, f"{proposal.key} waits in a batch that is cancelled"
            assert not in_vain(batch, proposal), f"{proposal.key} waits in vain"
        if proposal.state is State.SKIPPED:
            assert in_vain(batch, proposal), f"{proposal.key} is skipped for nothing"
            cause = next(edge for edge in proposal.depends_on if edge.key == proposal.skipped_because)
            assert not done(batch, cause)
        given_up = proposal.state is State.OUTCOME_UNKNOWN and proposal.finish_time is not None
        assert (proposal.finish_time is None) == (proposal.state in UNFINISHED and not given_up)
        assert [attempt.number for attempt in proposal.attempts] == list(range(1, len(proposal.attempts) + 1))


def check_not_stuck(batch: Batch) -> None:
    """What nothing moves by itself waits for a person, and that person is asked."""
    moving = any(
        p.state is State.RUNNING or p.looked_for or (p.state is State.APPROVED and p.open_dependencies == 0)
        for p in batch.proposals
    )
    if not moving and not all(over(proposal) for proposal in batch.proposals):
        assert batch.asked or batch.counts[State.OUTCOME_UNKNOWN] > batch.given_up, "stuck"


def check_moves(before: dict[str, State], events: Sequence[Event]) -> None:
    """Of every event that names a state: the way there is legal, and terminal states are left only by a person."""
    now = dict(before)
    for event in events:
        if event.state is None:
            continue
        was = now.get(event.key)
        if was is not None and was is not event.state:
            assert event.state in MOVES[was], f"{event.key}: {was.name} -> {event.state.name}"
            if was not in UNFINISHED and was is not State.SKIPPED:
                assert isinstance(event.detail, ProposalRetried | ProposalResolved), event
        now[event.key] = event.state


def check_sequences(head: int, changes: Changes) -> None:
    numbers = [event.sequence for event in changes.events]
    assert numbers == list(range(head + 1, head + 1 + len(numbers)))
    assert changes.batch.head == head + len(numbers)
    assert changes.header is not None
    assert changes.header.head == changes.batch.head


def check_all(batch: Batch) -> None:
    check_counts(batch)
    check_promises(batch)
    check_not_stuck(batch)
