"""From an executor's messages to the domain's words. Nothing that an executor sends raises here.

What cannot be true is replaced by the most careful reading; what cannot be read at all is a failure of that call.
"""

import math
import re

import orjson
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from greenlight.executor.v1 import executor_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.domain.canonical import JsonError, parse
from orchestrator_svc.domain.probing import Look
from orchestrator_svc.domain.proposal import Finding
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect, ToolKey
from shared.kernel.tenancy import TENANT_NAME

RESULT_BYTES = 2 << 20
CHUNK_BYTES = 1 << 20
_MESSAGE = 16_384
_NOTE = 4_096
_SECOND = 1_000_000_000
_MAX_SECONDS = (1 << 63) // _SECOND - 1  # what fits into 64 bits of nanoseconds
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
_CALL_ID = re.compile(r"[!-.0-~]{1,128}/[!-.0-~]{1,128}/[1-9][0-9]{0,8}")
_CLASSES = {int(member): member for member in FailureClass}
_EFFECTS = {int(member): member for member in KnownEffect}
_ATTACH_STATES: dict[int, str] = {
    pb.ATTACH_STATE_RUNNING: "running",
    pb.ATTACH_STATE_ENDED: "ended",
    pb.ATTACH_STATE_NEVER_SEEN: "never_seen",
}


def read_ending(outcome: pb.Outcome) -> Ending:
    """How the call ended. Without a start time there are no durations either."""
    result, failure = None, None
    if outcome.HasField("result_json"):
        result = outcome.result_json
        failure = _find_fault(result, RESULT_BYTES)
        if failure is not None:
            result = None
    elif outcome.HasField("failure"):
        failure = _read_failure(outcome.failure)
    else:
        failure = Failure(
            FailureClass.PERMANENT, KnownEffect.POSSIBLE, "OUTCOME_MALFORMED", "neither a result nor a failure came"
        )
    over = not outcome.still_running
    if not outcome.HasField("start_time"):
        return Ending(result, failure, over=over)
    return Ending(
        result,
        failure,
        _read_nanoseconds(outcome.start_time),
        _read_nanoseconds(outcome.queue_duration),
        _read_nanoseconds(outcome.run_duration),
        over=over,
    )


def is_reminder(reminder: pb.Reminder) -> bool:
    """Whether it may be of a call."""
    return bool(TENANT_NAME.fullmatch(reminder.tenant) and _CALL_ID.fullmatch(reminder.outcome.call_id))


def read_look(answer: pb.ProbeAnswer) -> Look:
    """What cannot be read found nothing out."""
    if answer.state == pb.PROBE_STATE_FOUND:
        fault = _find_fault(answer.result_json, RESULT_BYTES)
        if fault is None:
            return Look(Finding.FOUND, answer.result_json)
        return Look(Finding.FAILED, message=fault.message)
    if answer.state == pb.PROBE_STATE_NOT_FOUND:
        return Look(Finding.NOT_FOUND)
    return Look(Finding.FAILED, message=answer.message[:_NOTE])


def read_start_time(accepted: pb.Accepted) -> int | None:
    """In ns since 1970; None where it cannot be."""
    return _read_nanoseconds(accepted.start_time) if accepted.HasField("start_time") else None


def _read_nanoseconds(value: Timestamp | Duration) -> int | None:
    """None where it is negative or does not fit into 64 bits."""
    seconds, nanos = value.seconds, value.nanos
    if 0 <= seconds < _MAX_SECONDS and 0 <= nanos < _SECOND:
        return seconds * _SECOND + nanos
    return None


def read_attach_state(state: int) -> str:
    return _ATTACH_STATES.get(state, "cannot_say")


def read_progress(progress: pb.Progress) -> tuple[float | None, str]:
    fraction = progress.fraction if progress.HasField("fraction") else math.nan
    return None if math.isnan(fraction) else min(1.0, max(0.0, fraction)), progress.message[:_NOTE]


def is_chunk(chunk: pb.Chunk) -> bool:
    return chunk.index >= 0 and _find_fault(chunk.chunk_json, CHUNK_BYTES) is None


def read_limits(grant: pb.SlotGrant) -> dict[ToolKey, int]:
    return {ToolKey(tool.tool, tool.version or "1"): tool.total for tool in grant.tools}


def _find_fault(result: str, limit: int) -> Failure | None:
    """The tool returned: whatever is wrong with the result, its effect is done."""
    if len(result) * 4 > limit and len(result.encode()) > limit:
        message = f"the result has more than {limit:,} bytes"
        return Failure(FailureClass.PERMANENT, KnownEffect.DONE, "RESULT_TOO_LARGE", message)
    try:
        again = orjson.dumps(orjson.loads(result))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return _find_fault_slowly(result)
    # A member that stands twice comes out once: its quotes are missed, if there are no others inside of strings.
    if again == result.encode() or ("\\" not in result and again.count(b'"') == result.count('"')):
        return None
    return _find_fault_slowly(result)


def _find_fault_slowly(result: str) -> Failure | None:
    """orjson also refuses integers that a double would not hold, which are exact, and welcome, up to 1,000 digits."""
    try:
        parse(result)
    except JsonError as error:
        message = f"the executor sent a result that is not JSON: {error}"
        return Failure(FailureClass.PERMANENT, KnownEffect.DONE, "RESULT_NOT_JSON", message)
    return None


def _read_failure(failure: tool_pb2.Failure) -> Failure:
    known_effect = _EFFECTS.get(failure.known_effect, KnownEffect.POSSIBLE)
    return Failure(
        _CLASSES.get(failure.failure_class, FailureClass.PERMANENT),
        known_effect,
        failure.reason if _REASON.fullmatch(failure.reason) else "REASON_MALFORMED",
        failure.message[:_MESSAGE],
        _read_nanoseconds(failure.retry_after) if failure.HasField("retry_after") else None,
        failure.refused and known_effect is KnownEffect.NONE,
    )
