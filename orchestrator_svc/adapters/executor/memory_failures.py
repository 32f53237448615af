"""What an executor in memory says of calls that it does not run, or stops."""

from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect


def _refusal(failure_class: FailureClass, reason: str, message: str) -> Ending:
    return Ending(None, Failure(failure_class, KnownEffect.NONE, reason, message, None, True))


CANCELLED = Failure(FailureClass.CANCELLED, KnownEffect.NONE, "CANCELLED", "cancelled before the tool started")
SUPERSEDED = Failure(FailureClass.UNAVAILABLE, KnownEffect.POSSIBLE, "OWNER_SUPERSEDED", "it runs for a later owner")
STOPPED = Failure(FailureClass.CANCELLED, KnownEffect.POSSIBLE, "CANCELLED", "cancelled while it ran")
LOST = _refusal(FailureClass.UNAVAILABLE, "EXECUTOR_LOST", "the executor went away before it was sent")
UNKNOWN_TOOL = _refusal(FailureClass.UNAVAILABLE, "TOOL_UNKNOWN", "no such tool here")
WRONG_DIGEST = _refusal(FailureClass.PERMANENT, "DIGEST_MISMATCH", "the digest is that of another call")
REUSED_ID = _refusal(FailureClass.PERMANENT, "CALL_ID_REUSED", "this call id was used with another digest")
FENCED = _refusal(FailureClass.PERMANENT, "CALL_FENCED", "this call was said never to have come")
