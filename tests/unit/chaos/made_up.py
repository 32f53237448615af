"""A run of chaos that never was, with nothing wrong in it: tests of the judge spoil it."""

import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from google.protobuf.message import Message

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_client import GreenlightClient
from tests.chaos.crowd import Crowd, Story
from tests.chaos.faults import ABSENCE, LONG_STOP, PAUSES, Faults, Hit
from tests.chaos.fleet import Fleet
from tests.chaos.journals import Journal, Word
from tests.chaos.ledger import Ledger
from tests.chaos.unknowns import Evidence
from tests.chaos.verdict import Figures, look

SECOND = 1_000_000_000
APPROVED, RUNNING = proposal_pb2.PROPOSAL_STATE_APPROVED, proposal_pb2.PROPOSAL_STATE_RUNNING
SUCCEEDED, FAILED = proposal_pb2.PROPOSAL_STATE_SUCCEEDED, proposal_pb2.PROPOSAL_STATE_FAILED
UNKNOWN, REJECTED = proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN, proposal_pb2.PROPOSAL_STATE_REJECTED
EFFECTS = {
    "read": tool_pb2.EFFECT_READ,
    "note": tool_pb2.EFFECT_IDEMPOTENT,
    "send": tool_pb2.EFFECT_NON_IDEMPOTENT,
    "pay": tool_pb2.EFFECT_NON_IDEMPOTENT,
}
BEGAN, EFFECT, ENDED = 10, 11, 12
"""Seconds, of each call."""


def proposed(tool: str, proposed: Mapping[str, Any], **bound: Any) -> proposal_pb2.Proposal:
    """One that succeeded at once; its key is its tool's name."""
    arguments = {**proposed, **bound}
    attempt = proposal_pb2.Attempt(number=1, executor_id="e")
    attempt.dispatch_time.FromSeconds(BEGAN)
    attempt.finish_time.FromSeconds(ENDED)
    return proposal_pb2.Proposal(
        proposal_id=f"b/{tool}",
        batch_id="b",
        key=tool,
        tool=tool,
        effect=EFFECTS[tool],
        state=SUCCEEDED,
        proposed_arguments_json=json.dumps(proposed),
        bound_arguments_json=json.dumps(arguments),
        result_json=json.dumps({"n": arguments["ms"], "of": f"b/{tool}"}),
        attempts=[attempt],
    )


def decision(*, edited: bool) -> proposal_pb2.DecisionRecord:
    return proposal_pb2.DecisionRecord(verdict=proposal_pb2.VERDICT_APPROVE, edited=edited)


def event(
    what: str,
    key: str = "",
    state: proposal_pb2.ProposalState.ValueType = SUCCEEDED,
    *,
    at: float = ENDED,
    attempt: int = 1,
    **detail: Any,
) -> event_pb2.Event:
    """`what`: the name of its detail."""
    made = event_pb2.Event(batch_id="b", key=key, state=state, attempt=attempt)
    made.time.FromNanoseconds(int(at * SECOND))
    told: Message = getattr(made, what)
    told.SetInParent()
    told.MergeFrom(type(told)(**detail))
    return made


def of_one_call(key: str) -> list[event_pb2.Event]:
    return [
        event("proposal_added", key, APPROVED, at=BEGAN),
        event("attempt_dispatched", key, RUNNING, at=BEGAN),
        event("attempt_progressed", key, RUNNING, at=EFFECT, message="half"),
        event("proposal_succeeded", key, at=ENDED),
    ]


def line(what: str, proposal_id: str, attempt: int = 1, *, key: str = "", at: float = EFFECT) -> str:
    """Of the ledger."""
    return f"{what} {proposal_id} {attempt} {key or proposal_id} {int(at * SECOND)}"


def hit(kind: str, who: str, seconds: float, at: float = 1000) -> Hit:
    return Hit(kind, who, who, int(at * SECOND), int((at + seconds) * SECOND))


def all_faults(faults: Faults) -> list[Hit]:
    """Each that is to be tried, as short as it may be."""
    kinds = {LONG_STOP: "stop", ABSENCE: "kill"}
    return [hit(kinds.get(kind, kind), who, PAUSES[kind][0]) for kind, who in sorted(faults.every)]


class MadeUpRun:
    """One batch: `send` refers to `read`, people approved `note` and edited `pay`; `send` was cut off, and reattached.

    `batches`, `proposals` and `events` are what is on record, `told` is what the watcher saw (all of it: None), `lines`
    the ledger, `words` the journal of the only executor that was used.
    """

    def __init__(self, folder: Path) -> None:
        self._ledger = folder / "ledger"
        self.faults = Faults(Fleet(folder, self._ledger, None), random.Random(1))
        self.faults.hits = [*all_faults(self.faults), hit("cut", "executor-1", 1, at=BEGAN + 0.5)]
        self.crowd = Crowd([], self.faults, 1)
        self.story = Story("b", total=4)
        self.crowd.stories.append(self.story)
        made = (
            proposed("read", {"ms": 10}),
            proposed("send", {"ms": 20, "x": {"$from": "read", "path": "/n"}}, x=10),
            proposed("note", {"ms": 30}),
            proposed("pay", {"ms": 40}),
        )
        self.proposals = {each.key: each for each in made}
        self.crowd.decided = dict.fromkeys(("b/note", "b/pay"), proposal_pb2.VERDICT_APPROVE)
        self.crowd.edited = {"b/pay"}
        self.proposals["note"].decisions.append(decision(edited=False))
        self.proposals["pay"].decisions.append(decision(edited=True))
        self.batches = ["b"]
        self.events: list[event_pb2.Event] = []
        self.record(event("batch_submitted"), *(each for key in self.proposals for each in of_one_call(key)))
        self.record(event("batch_finished"))
        self.told: Sequence[event_pb2.Event] | None = None
        self.lines = [line(what, each.proposal_id) for each in made for what in ("began", "effect", "ended")]
        self.words: dict[str, Word] = {}

    def record(self, *events: event_pb2.Event, last: bool = True) -> None:
        """`last`: behind all others, else before the batch was finished."""
        place = len(self.events) if last else len(self.events) - 1
        self.events[place:place] = events
        for sequence, each in enumerate(self.events, start=1):
            each.sequence = sequence

    async def judged(self) -> Figures:
        self._ledger.write_text("\n".join(self.lines))
        self.story.events = list(self.events if self.told is None else self.told)
        evidence = Evidence(Ledger(self._ledger), self.faults.hits, {"e": Journal("executor-1", self.words)})
        figures = Figures()
        await look(cast(GreenlightClient, _Client(self)), self.crowd, self.faults, evidence, figures)
        return figures


class _Client:
    """What the judge asks for."""

    def __init__(self, run: MadeUpRun) -> None:
        self._run = run

    async def list_batches(self) -> AsyncIterator[batch_pb2.Batch]:
        for batch_id in self._run.batches:
            yield batch_pb2.Batch(batch_id=batch_id)

    async def proposals(self, batch_id: str) -> list[proposal_pb2.Proposal]:
        return list(self._run.proposals.values())

    async def list_events(self, batch_id: str) -> AsyncIterator[event_pb2.Event]:
        for each in self._run.events:
            yield each
