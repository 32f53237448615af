"""What is on record of a batch's proposals, against the tools' own ledger."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from tests.chaos.ledger import Ledger

SUCCEEDED = proposal_pb2.PROPOSAL_STATE_SUCCEEDED
_NONE = tool_pb2.KNOWN_EFFECT_NONE


def is_non_idempotent(proposal: proposal_pb2.Proposal) -> bool:
    return proposal.effect == tool_pb2.EFFECT_NON_IDEMPOTENT


def resolved(events: Sequence[event_pb2.Event]) -> set[str]:
    """Keys of what a person said something about."""
    return {event.key for event in events if event.WhichOneof("detail") == "proposal_resolved"}


def doubled(
    proposals: Sequence[proposal_pb2.Proposal], events: Sequence[event_pb2.Event], ledger: Ledger
) -> Iterator[str]:
    """At most one effect, but for what a person ran again, and one a call in any case; repeats under one key."""
    again = Counter(
        event.key
        for event in events
        if event.WhichOneof("detail") == "proposal_resolved"
        and event.proposal_resolved.resolution == event_pb2.RESOLUTION_RUN_AGAIN
    )
    for proposal in proposals:
        if len(ledger.keys[proposal.proposal_id]) > 1:
            yield f"{proposal.proposal_id}: several idempotency keys"
        if not is_non_idempotent(proposal):
            continue
        if ledger.effects[proposal.proposal_id] > 1 + again[proposal.key]:
            yield proposal.proposal_id
        for attempt in proposal.attempts:
            call_id = f"{proposal.proposal_id}/{attempt.number}"
            if ledger.began[call_id] > 1:
                yield f"{call_id} began {ledger.began[call_id]} times"


def contradicted(
    proposals: Sequence[proposal_pb2.Proposal], events: Sequence[event_pb2.Event], ledger: Ledger
) -> Iterator[str]:
    """Answers that the ledger contradicts: of proposals, and of NON_IDEMPOTENT attempts."""
    by_hand = resolved(events)
    for proposal in proposals:
        state = proposal_pb2.ProposalState.Name(proposal.state)
        there = bool(ledger.effects[proposal.proposal_id])
        succeeded = proposal.state == SUCCEEDED
        if succeeded and not there:
            yield f"{proposal.proposal_id} is {state}, and had no effect"
        if not is_non_idempotent(proposal):
            continue
        if there and not succeeded and proposal.key not in by_hand:
            yield f"{proposal.proposal_id} is {state}, and had its effect"
        for attempt in proposal.attempts:
            call_id = f"{proposal.proposal_id}/{attempt.number}"
            none = attempt.HasField("failure") and attempt.failure.known_effect == _NONE
            if none and ledger.effects_of_call[call_id]:
                yield f"{call_id} is said to have had no effect ({attempt.failure.reason})"


def mismatched(proposals: Sequence[proposal_pb2.Proposal], events: Sequence[event_pb2.Event]) -> Iterator[str]:
    """Results that are not what the tool returned, references that are not the results they name."""
    by_hand = resolved(events)
    by_key = {proposal.key: proposal for proposal in proposals}
    for proposal in proposals:
        if proposal.state != SUCCEEDED:
            continue
        arguments, result = json.loads(proposal.bound_arguments_json), json.loads(proposal.result_json)
        wanted = {"n": arguments["ms"], "of": proposal.proposal_id}
        if result != wanted and not (proposal.key in by_hand and result == {"n": 0}):
            yield f"the result of {proposal.proposal_id}: {proposal.result_json}"
        reference: Any = json.loads(proposal.proposed_arguments_json).get("x")
        if isinstance(reference, dict) and arguments["x"] != _referred(reference["$from"], by_key):
            yield f"an argument of {proposal.proposal_id}: {proposal.bound_arguments_json}"


def _referred(key: str, by_key: dict[str, proposal_pb2.Proposal]) -> Any:
    """What a reference to `/n` comes to: the crowd's default is 0."""
    source = by_key[key]
    return json.loads(source.result_json)["n"] if source.state == SUCCEEDED else 0
