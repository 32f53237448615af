"""What an executor knows of a call across its starts, and what it answers of it."""

from dataclasses import dataclass
from enum import IntEnum

from executor_svc.domain.outcome import Failure, FailureClass, KnownEffect, Outcome, refusal, refused


class Standing(IntEnum):
    """How far a journalled call came. The numbers are those on disk."""

    ACCEPTED = 1
    ENDED = 2
    FORGOTTEN = 3
    FENCED = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A call in the journal. `boot_id`: of the start that took it, empty where it was fenced.

    `outcome` is there while it is ENDED. FORGOTTEN: it ended and was acknowledged; of its outcome only `ending`
    (SUCCEEDED, or the failure's class) and `effect` are left.
    """

    call_id: str
    digest: str
    boot_id: str
    standing: Standing
    outcome: Outcome | None = None
    ending: str = ""
    effect: KnownEffect = KnownEffect.NONE


def cut_off(call_id: str, position: int = 0) -> Outcome:
    """Of a call that an earlier start accepted, and of which it did not live to say how it ended."""
    text = "the executor ended while the tool ran"
    failure = Failure(FailureClass.UNAVAILABLE, KnownEffect.POSSIBLE, "EXECUTOR_ENDED", text)
    return Outcome(call_id, None, failure, 0, 0.0, 0.0, position)


def ending_of(outcome: Outcome) -> tuple[str, KnownEffect]:
    """What is left of it once it is acknowledged."""
    if outcome.failure is None:
        return "SUCCEEDED", KnownEffect.DONE
    return outcome.failure.failure_class.value, outcome.failure.effect


def repeated(entry: Entry, digest: str, position: int) -> Outcome:
    """Answers a call whose id the journal holds: it does not run. `position`: where the journal stands."""
    if entry.standing is Standing.FENCED:
        return refused(entry.call_id, fenced())
    if entry.digest != digest:
        return refused(entry.call_id, reused_id())
    if entry.standing is Standing.FORGOTTEN:
        text = f"this call ended ({entry.ending}) and was acknowledged; its outcome is gone"
        failure = Failure(FailureClass.PERMANENT, entry.effect, "CALL_ENDED", text)
        return Outcome(entry.call_id, None, failure, 0, 0.0, 0.0, position)
    return entry.outcome or cut_off(entry.call_id, position)


def fenced() -> Failure:
    """It was answered that the call had never been seen."""
    text = "it was answered that this call had never been seen; it will never run"
    return refusal(FailureClass.PERMANENT, "CALL_FENCED", text)


def reused_id() -> Failure:
    return refusal(FailureClass.PERMANENT, "CALL_ID_REUSED", "this call id was used with another digest")
