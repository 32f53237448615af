"""What a run came to: everything on record against what clients were told, and against the ledger."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight_client import GreenlightClient
from orchestrator_svc.domain.lifecycle import MOVES
from orchestrator_svc.domain.proposal import ProposalState as State
from tests.chaos.crowd import Crowd, Story, is_non_idempotent
from tests.chaos.faults import KINDS, Faults, Hit


@dataclass(slots=True)
class Figures:
    """The last line of a run. `about`: what is wrong, in words."""

    batches: int = 0
    kills: int = 0
    lost: int = 0
    doubled: int = 0
    unfinished: int = 0
    gaps: int = 0
    unknown_wrong: int = 0
    illegal_moves: int = 0
    reattached: int = 0
    unknown: int = 0
    effects: int = 0
    about: list[str] = field(default_factory=list[str])

    def json(self) -> dict[str, int]:
        return {name: value for name, value in asdict(self).items() if name != "about"}

    def count(self, name: str, what: str) -> None:
        setattr(self, name, getattr(self, name) + 1)
        self.about.append(f"{name}: {what}")


class Ledger:
    """By proposal id: effects, idempotency keys; by call id: whether it began, and when it ended (ns)."""

    def __init__(self, path: Path) -> None:
        self.effects: Counter[str] = Counter()
        self.keys: defaultdict[str, set[str]] = defaultdict(set)
        self.began: set[str] = set()
        self.ended: dict[str, int] = {}
        for line in path.read_text().splitlines():
            what, proposal_id, attempt, key, time = line.split()
            call_id = f"{proposal_id}/{attempt}"
            self.keys[proposal_id].add(key)
            if what == "began":
                self.began.add(call_id)
            elif what == "effect":
                self.effects[proposal_id] += 1
            else:
                self.ended[call_id] = int(time)


async def look(client: GreenlightClient, crowd: Crowd, faults: Faults, ledger: Ledger, figures: Figures) -> None:
    """Counts what is wrong. A fault that was never tried is wrong too."""
    figures.batches, figures.kills = len(crowd.stories), faults.kills
    figures.effects = ledger.effects.total()
    missing = {*KINDS} - {(hit.kind, hit.who) for hit in faults.hits}
    if missing:
        figures.about.append(f"never tried: {sorted(missing)}")
    present = {batch.batch_id async for batch in client.list_batches()}
    for story in crowd.stories:
        if story.batch_id not in present:
            figures.count("lost", story.batch_id)
            continue
        proposals = await client.proposals(story.batch_id)
        events = [event async for event in client.list_events(story.batch_id)]
        if len(proposals) < story.total:
            figures.count("lost", f"proposals of {story.batch_id}")
        _decisions(crowd, proposals, figures)
        _sequence(story, events, figures)
        _moves(events, figures)
        _effects(proposals, events, ledger, figures)
        _outcomes(proposals, events, ledger, faults.hits, figures)
    extra = present - {story.batch_id for story in crowd.stories}
    for batch_id in extra:
        figures.count("doubled", f"batch {batch_id}: nobody was told of it")


def _decisions(crowd: Crowd, proposals: Sequence[proposal_pb2.Proposal], figures: Figures) -> None:
    for proposal in proposals:
        verdict = crowd.decided.get(proposal.proposal_id)
        if verdict is not None and verdict not in [decision.verdict for decision in proposal.decisions]:
            figures.count("lost", f"a decision on {proposal.proposal_id}")


def _sequence(story: Story, events: Sequence[event_pb2.Event], figures: Figures) -> None:
    if [event.sequence for event in events] != list(range(1, len(events) + 1)):
        figures.count("gaps", f"the log of {story.batch_id}")
    elif story.events != list(events):
        figures.count("gaps", f"a watcher of {story.batch_id} saw something else")


def _moves(events: Sequence[event_pb2.Event], figures: Figures) -> None:
    now: dict[str, State] = {}
    for event in events:
        if event.key:
            was, to = now.get(event.key), State(event.state)
            if was is not None and was is not to and to not in MOVES[was]:
                figures.count("illegal_moves", f"{event.batch_id}/{event.key}: {was.name} -> {to.name}")
            now[event.key] = to


def _effects(
    proposals: Sequence[proposal_pb2.Proposal], events: Sequence[event_pb2.Event], ledger: Ledger, figures: Figures
) -> None:
    """At most one, but for what a person ran again; repeats under one key."""
    again = Counter(
        event.key
        for event in events
        if event.WhichOneof("detail") == "proposal_resolved"
        and event.proposal_resolved.resolution == event_pb2.RESOLUTION_RUN_AGAIN
    )
    for proposal in proposals:
        effects = ledger.effects[proposal.proposal_id]
        if is_non_idempotent(proposal) and effects > 1 + again[proposal.key]:
            figures.count("doubled", proposal.proposal_id)
        if len(ledger.keys[proposal.proposal_id]) > 1:
            figures.count("doubled", f"{proposal.proposal_id}: several idempotency keys")


def _outcomes(
    proposals: Sequence[proposal_pb2.Proposal],
    events: Sequence[event_pb2.Event],
    ledger: Ledger,
    hits: Sequence[Hit],
    figures: Figures,
) -> None:
    by_hand = {event.key for event in events if event.WhichOneof("detail") == "proposal_resolved"}
    dispatched: dict[str, tuple[int, int]] = {}
    for event in events:
        kind, time = event.WhichOneof("detail"), event.time.ToNanoseconds()
        if kind == "attempt_dispatched":
            dispatched[event.key] = (event.attempt, time)
        elif kind == "outcome_unknown":
            figures.unknown += 1
            attempt, since = dispatched[event.key]
            failure = event.outcome_unknown.failure
            stopped = failure.reason == "CANCELLED" and _half_way(f"{event.batch_id}/{event.key}/{attempt}", ledger)
            if not (stopped or _executor_killed(since, time, hits)):
                figures.count("unknown_wrong", f"{event.batch_id}/{event.key}: {failure.reason}")
    for proposal in proposals:
        if proposal.key in by_hand or not is_non_idempotent(proposal):
            continue
        succeeded = proposal.state == proposal_pb2.PROPOSAL_STATE_SUCCEEDED
        if succeeded != bool(ledger.effects[proposal.proposal_id]):
            state = proposal_pb2.ProposalState.Name(proposal.state)
            figures.count("unknown_wrong", f"{proposal.proposal_id} is {state}; the ledger says otherwise")
        if succeeded and _reattached(proposal.attempts[-1], hits):
            figures.reattached += 1


def _half_way(call_id: str, ledger: Ledger) -> bool:
    """The tool had begun, and did not come to its end."""
    return call_id in ledger.began and call_id not in ledger.ended


def _executor_killed(since: int, until: int, hits: Sequence[Hit]) -> bool:
    """After the attempt was made, and before it was given up."""
    kills = [hit for hit in hits if (hit.kind, hit.who) == ("kill", "executor")]
    return any(since <= hit.end and hit.start <= until for hit in kills)


def _reattached(attempt: proposal_pb2.Attempt, hits: Sequence[Hit]) -> bool:
    """It was under way while the orchestrator, or its link to the executor, was not there."""
    dispatch, finish = attempt.dispatch_time.ToNanoseconds(), attempt.finish_time.ToNanoseconds()
    parted = [hit for hit in hits if (hit.kind, hit.who) in (("kill", "orchestrator"), ("cut", "executor"))]
    return any(dispatch < hit.start and hit.start < finish for hit in parted)
