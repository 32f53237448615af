"""How a call ended, and what is known of its effect."""

from dataclasses import dataclass
from enum import Enum


class FailureClass(Enum):
    """Decides whether the sender makes another attempt."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    PERMISSION = "PERMISSION"
    PERMANENT = "PERMANENT"
    TRANSIENT = "TRANSIENT"
    RATE_LIMITED = "RATE_LIMITED"
    UNAVAILABLE = "UNAVAILABLE"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"


class KnownEffect(Enum):
    """What is known of the effect of a call without a usable result."""

    NONE = "NONE"
    POSSIBLE = "POSSIBLE"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Failure:
    """`reason` is for machines, `message` for people; `retry_after` in seconds; `refused`: before the tool started."""

    failure_class: FailureClass
    effect: KnownEffect
    reason: str
    message: str
    retry_after: float | None = None
    refused: bool = False


class ToolFailure(Exception):
    """How a tool, or what runs it, says that a call has failed and what is known of its effect."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason, failure.message)
        self.failure = failure


@dataclass(slots=True)
class Outcome:
    """Exactly one of `result` (JSON text, UTF-8) and `failure`. `start_ns` is wall time, 0: it never started.

    `position`: where the journal stood when it was written down; 0: it is not journalled. `still_running`: its tool
    does not stop though it should.
    """

    call_id: str
    result: bytes | None
    failure: Failure | None
    start_ns: int
    queue_seconds: float
    run_seconds: float
    position: int = 0
    still_running: bool = False


def refusal(failure_class: FailureClass, reason: str, message: str, *, retry_after: float | None = None) -> Failure:
    """A failure before the tool started: it had no effect, and takes none of the sender's attempts."""
    return Failure(failure_class, KnownEffect.NONE, reason, message, retry_after, refused=True)


def refused(call_id: str, failure: Failure) -> Outcome:
    """The outcome of a call that never started."""
    return Outcome(call_id, None, failure, 0, 0.0, 0.0)
