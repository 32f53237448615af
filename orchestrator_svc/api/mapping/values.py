"""Times, durations and failures as messages: exactly, from integers of nanoseconds."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.domain.tool import Failure

SECOND = 1_000_000_000


def timestamp(time: int | None) -> Timestamp | None:
    """Of ns since 1970."""
    if time is None:
        return None
    seconds, nanos = divmod(time, SECOND)
    return Timestamp(seconds=seconds, nanos=nanos)


def duration(value: int | None) -> Duration | None:
    """Of ns; seconds and nanos have one sign."""
    if value is None:
        return None
    seconds, nanos = divmod(abs(value), SECOND)
    return Duration(seconds=seconds, nanos=nanos) if value >= 0 else Duration(seconds=-seconds, nanos=-nanos)


def failure(value: Failure | None) -> tool_pb2.Failure | None:
    if value is None:
        return None
    return tool_pb2.Failure(
        failure_class=tool_pb2.FailureClass.ValueType(value.failure_class),
        known_effect=tool_pb2.KnownEffect.ValueType(value.known_effect),
        reason=value.reason,
        message=value.message,
        retry_after=duration(value.retry_after),
        refused=value.refused,
    )
