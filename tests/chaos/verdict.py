"""What a run came to: everything on record against what clients were told, the ledger, and the executors' journals."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight_client import GreenlightClient
from orchestrator_svc.domain.lifecycle import MOVES
from orchestrator_svc.domain.proposal import ProposalState as State
from tests.chaos.answers import SUCCEEDED, contradicted, doubled, is_non_idempotent, mismatched, resolved
from tests.chaos.crowd import Crowd, Story
from tests.chaos.faults import Faults
from tests.chaos.fleet import ORCHESTRATORS
from tests.chaos.looks import wrong_looks
from tests.chaos.unknowns import Evidence, wrong_unknowns

LATE = {"outcome_arrived_late", "outcome_probed", "proposal_resolved"}


@dataclass(slots=True)
class Figures:
    """The last line of a run. `executor_lost`: of how many `unknown` outcomes the executor did not come back in time.
    `looked`: how often a tool looked for an effect, and said something new. `about`: what is wrong, in words."""

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
    executor_lost: int = 0
    looked: int = 0
    effects: int = 0
    about: list[str] = field(default_factory=list[str])

    def json(self) -> dict[str, int]:
        return {name: value for name, value in asdict(self).items() if name != "about"}

    def count(self, name: str, what: str) -> None:
        setattr(self, name, getattr(self, name) + 1)
        self.about.append(f"{name}: {what}")


async def look(client: GreenlightClient, crowd: Crowd, faults: Faults, evidence: Evidence, figures: Figures) -> None:
    """Counts what is wrong. A fault that was never tried is wrong too."""
    figures.batches, figures.kills = len(crowd.stories), faults.kills
    figures.effects = evidence.ledger.effects.total()
    if faults.missing:
        figures.about.append(f"never tried: {sorted(faults.missing)}")
    present = {batch.batch_id async for batch in client.list_batches()}
    for story in crowd.stories:
        if story.batch_id not in present:
            figures.count("lost", story.batch_id)
            continue
        proposals = await client.proposals(story.batch_id)
        events = [event async for event in client.list_events(story.batch_id)]
        if len(proposals) < story.total:
            figures.count("lost", f"proposals of {story.batch_id}")
        _told(story, crowd, proposals, events, figures)
        _sequence(story, events, figures)
        _moves(events, figures)
        _outcomes(proposals, events, evidence, figures)
    extra = present - {story.batch_id for story in crowd.stories}
    for batch_id in extra:
        figures.count("doubled", f"batch {batch_id}: nobody was told of it")


def _told(
    story: Story,
    crowd: Crowd,
    proposals: Sequence[proposal_pb2.Proposal],
    events: Sequence[event_pb2.Event],
    figures: Figures,
) -> None:
    """Decisions, edits and cancels that were acknowledged."""
    for proposal in proposals:
        verdict = crowd.decided.get(proposal.proposal_id)
        if verdict is not None and verdict not in [decision.verdict for decision in proposal.decisions]:
            figures.count("lost", f"a decision on {proposal.proposal_id}")
        if proposal.proposal_id in crowd.edited and not any(decision.edited for decision in proposal.decisions):
            figures.count("lost", f"an edit of {proposal.proposal_id}")
    what = [event.WhichOneof("detail") for event in events]
    if story.cancelled and not {"batch_cancel_requested", "batch_finished"} & {*what}:
        figures.count("lost", f"a cancel of {story.batch_id}")


def _sequence(story: Story, events: Sequence[event_pb2.Event], figures: Figures) -> None:
    """A watcher saw what is stored, up to where its batch was finished; what an executor says later comes behind it."""
    seen, after = story.events, [event.WhichOneof("detail") for event in events[len(story.events) :]]
    finished = any(event.WhichOneof("detail") == "batch_finished" for event in seen)
    if [event.sequence for event in events] != list(range(1, len(events) + 1)):
        figures.count("gaps", f"the log of {story.batch_id}")
    elif seen != list(events[: len(seen)]) or not finished or not LATE.issuperset(after):
        figures.count("gaps", f"a watcher of {story.batch_id} saw something else: {_difference(seen, events)}")


def _difference(seen: Sequence[event_pb2.Event], stored: Sequence[event_pb2.Event]) -> str:
    """Where the two part."""
    pairs = enumerate(zip(seen, stored, strict=False))
    at = next((place for place, (one, other) in pairs if one != other), min(len(seen), len(stored)))
    parts = [" ".join(str(event).split()) for event in (*seen[at : at + 1], *stored[at : at + 1])]
    return f"{len(seen)} events, {len(stored)} stored, from {at + 1} on: {' | '.join(parts)}"


def _moves(events: Sequence[event_pb2.Event], figures: Figures) -> None:
    now: dict[str, State] = {}
    for event in events:
        if event.key:
            was, to = now.get(event.key), State(event.state)
            if was is not None and was is not to and to not in MOVES[was]:
                figures.count("illegal_moves", f"{event.batch_id}/{event.key}: {was.name} -> {to.name}")
            now[event.key] = to


def _outcomes(
    proposals: Sequence[proposal_pb2.Proposal], events: Sequence[event_pb2.Event], evidence: Evidence, figures: Figures
) -> None:
    for what in doubled(proposals, events, evidence.ledger):
        figures.count("doubled", what)
    for what in mismatched(proposals, events):
        figures.count("lost", what)
    ledger = evidence.ledger
    wrong = (
        wrong_unknowns(proposals, events, evidence),
        wrong_looks(events, ledger),
        contradicted(proposals, events, ledger),
    )
    for what in itertools.chain(*wrong):
        figures.count("unknown_wrong", what)
    figures.unknown += sum(event.WhichOneof("detail") == "outcome_unknown" for event in events)
    figures.executor_lost += sum(event.outcome_unknown.failure.reason == "EXECUTOR_LOST" for event in events)
    figures.looked += sum(event.WhichOneof("detail") == "outcome_probed" for event in events)
    by_hand = resolved(events)
    figures.reattached += sum(
        _reattached(proposal.attempts[-1], evidence)
        for proposal in proposals
        if is_non_idempotent(proposal) and proposal.state == SUCCEEDED and proposal.key not in by_hand
    )


def _reattached(attempt: proposal_pb2.Attempt, evidence: Evidence) -> bool:
    """It was under way when the orchestrator, or its link to the executor, went."""
    dispatch, finish = attempt.dispatch_time.ToNanoseconds(), attempt.finish_time.ToNanoseconds()
    executor = evidence.journals[attempt.executor_id].service
    owners = {"active", *ORCHESTRATORS}
    parting = {("cut", executor), *((kind, who) for kind in ("kill", "cut") for who in owners)}
    return any(dispatch < hit.start < finish for hit in evidence.hits if (hit.kind, hit.who) in parting)
