"""Plain Python values to and from the generated messages: words for enums, seconds for durations, JSON text."""

import json
from datetime import timedelta
from typing import Any, Literal, TypeVar

from google.protobuf import duration_pb2

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, orchestrator_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2

Seconds = float | timedelta
TierName = Literal["auto", "soft", "hard"]
UntilName = Literal["finished", "blocked"]
OnInvalidName = Literal["refuse", "fail_call"]
ViewName = Literal["basic", "answers", "full"]
ResolutionName = Literal["succeeded", "failed", "run_again"]

_Meant = TypeVar("_Meant")


class _Words(dict[str, _Meant]):
    """What the words of one argument mean; any other word is a ValueError that says which there are."""

    def __init__(self, argument: str, words: dict[str, _Meant]) -> None:
        super().__init__(words)
        self._argument = argument

    def __missing__(self, word: str) -> _Meant:
        raise ValueError(f"{self._argument}: {word!r} is none of {', '.join(self)}")


TIERS = _Words("tier", {"auto": tool_pb2.TIER_AUTO, "soft": tool_pb2.TIER_SOFT, "hard": tool_pb2.TIER_HARD})
UNTIL = _Words("until", {"finished": orchestrator_pb2.UNTIL_FINISHED, "blocked": orchestrator_pb2.UNTIL_BLOCKED})
ON_INVALID = _Words("on_invalid", {"refuse": batch_pb2.ON_INVALID_REFUSE, "fail_call": batch_pb2.ON_INVALID_FAIL_CALL})
VIEWS = _Words(
    "view",
    {
        "basic": batch_pb2.BATCH_VIEW_BASIC,
        "answers": batch_pb2.BATCH_VIEW_ANSWERS,
        "full": batch_pb2.BATCH_VIEW_FULL,
    },
)
RESOLUTIONS = _Words(
    "resolution",
    {
        "succeeded": event_pb2.RESOLUTION_SUCCEEDED,
        "failed": event_pb2.RESOLUTION_FAILED,
        "run_again": event_pb2.RESOLUTION_RUN_AGAIN,
    },
)

FINISHED_BATCH_STATES = frozenset(
    {
        batch_pb2.BATCH_STATE_SUCCEEDED,
        batch_pb2.BATCH_STATE_PARTIAL,
        batch_pb2.BATCH_STATE_FAILED,
        batch_pb2.BATCH_STATE_REJECTED,
        batch_pb2.BATCH_STATE_CANCELLED,
    }
)
ENDED_PROPOSAL_STATES = frozenset(
    {
        proposal_pb2.PROPOSAL_STATE_SUCCEEDED,
        proposal_pb2.PROPOSAL_STATE_FAILED,
        proposal_pb2.PROPOSAL_STATE_REJECTED,
        proposal_pb2.PROPOSAL_STATE_EXPIRED,
        proposal_pb2.PROPOSAL_STATE_SKIPPED,
        proposal_pb2.PROPOSAL_STATE_CANCELLED,
    }
)


def duration(value: Seconds | None) -> duration_pb2.Duration | None:
    """Seconds or a timedelta as the wire's Duration; None stays absent."""
    if value is None:
        return None
    message = duration_pb2.Duration()
    message.FromTimedelta(value if isinstance(value, timedelta) else timedelta(seconds=value))
    return message


def seconds(value: Seconds | None) -> float | None:
    """Seconds or a timedelta as seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def json_text(value: Any) -> str:
    """A value as JSON text; text is taken for JSON already and goes as it is, so that the server judges it."""
    if isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates: escaped, they reach the server, which says what is wrong
        return json.dumps(value)
    return text


def batch_state_name(state: batch_pb2.BatchState.ValueType) -> str:
    """`succeeded`, `blocked` ...; a value newer than this client is `state_N`."""
    return _name(batch_pb2.BatchState.DESCRIPTOR, "BATCH_STATE_", state)


def proposal_state_name(state: proposal_pb2.ProposalState.ValueType) -> str:
    """`running`, `outcome_unknown` ..."""
    return _name(proposal_pb2.ProposalState.DESCRIPTOR, "PROPOSAL_STATE_", state)


def agent_status_name(status: batch_pb2.AgentStatus.ValueType) -> str:
    """`idle`, `running`, `complete` or `error`."""
    return _name(batch_pb2.AgentStatus.DESCRIPTOR, "AGENT_STATUS_", status)


def waiting_reason_name(reason: proposal_pb2.WaitingReason.ValueType) -> str:
    """`decision`, `dependencies`, `capacity`, `executor`, `backoff`, `resolution` ..."""
    return _name(proposal_pb2.WaitingReason.DESCRIPTOR, "WAITING_REASON_", reason)


_WAITED_FOR = {
    proposal_pb2.WAITING_REASON_DECISION: "a person's decision",
    proposal_pb2.WAITING_REASON_CAPACITY: "capacity",
    proposal_pb2.WAITING_REASON_EXECUTOR: "an executor",
    proposal_pb2.WAITING_REASON_BACKOFF: "its next attempt",
    proposal_pb2.WAITING_REASON_RESOLUTION: "somebody to say what became of it",
    proposal_pb2.WAITING_REASON_MATCHING_EXECUTOR: (
        "an executor that has the tool as it is on record (a changed tool needs another version)"
    ),
    proposal_pb2.WAITING_REASON_LOST_EXECUTOR: "its lost executor to say what became of it",
}


def waiting_text(waiting: proposal_pb2.Waiting) -> str:
    """What it waits for, as it stands after "waiting for": the proposals, else `capacity`, `a person's decision` ..."""
    return ", ".join(waiting.keys) or _WAITED_FOR.get(waiting.reason) or waiting_reason_name(waiting.reason)


def tier_name(tier: tool_pb2.Tier.ValueType) -> str:
    """`auto`, `soft` or `hard`."""
    return _name(tool_pb2.Tier.DESCRIPTOR, "TIER_", tier)


def effect_name(effect: tool_pb2.Effect.ValueType) -> str:
    """`read`, `idempotent` or `non_idempotent`."""
    return _name(tool_pb2.Effect.DESCRIPTOR, "EFFECT_", effect)


def failure_class_name(failure_class: tool_pb2.FailureClass.ValueType) -> str:
    """`transient`, `timeout` ..."""
    return _name(tool_pb2.FailureClass.DESCRIPTOR, "FAILURE_CLASS_", failure_class)


def verdict_name(verdict: proposal_pb2.Verdict.ValueType) -> str:
    """`approve` or `reject`."""
    return _name(proposal_pb2.Verdict.DESCRIPTOR, "VERDICT_", verdict)


def resolution_name(resolution: event_pb2.Resolution.ValueType) -> str:
    """`succeeded`, `failed` or `run again`."""
    return _name(event_pb2.Resolution.DESCRIPTOR, "RESOLUTION_", resolution).replace("_", " ")


def _name(descriptor: Any, prefix: str, number: int) -> str:
    value = descriptor.values_by_number.get(number)
    return value.name.removeprefix(prefix).lower() if value is not None else f"state_{number}"
