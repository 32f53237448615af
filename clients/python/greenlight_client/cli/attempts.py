"""An attempt in one line: when it was sent, to whom, when it ended and how."""

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli.badges import failure_text
from greenlight_client.cli.formats import duration_text, milliseconds_text, moment_text, short_id
from greenlight_client.cli.sanitise import clean


def attempt_text(attempt: proposal_pb2.Attempt) -> str:
    """`1: sent 2026-03-01 12:00:05 UTC to executor 0195a000-0000, ended 2026-03-01 12:00:06 UTC, queued 0.00 s ...`."""
    timing = attempt.timing
    parts = [f"sent {moment_text(attempt.dispatch_time)}"]
    if attempt.executor_id:
        parts[0] += f" to executor {short_id(clean(attempt.executor_id))}"
    parts.append(_end(attempt))
    if timing.HasField("queue_wait"):
        parts.append(f"queued {duration_text(timing.queue_wait.ToTimedelta().total_seconds())}")
    parts += [
        f"{name} {milliseconds_text(duration.ToTimedelta().total_seconds())} ms"
        for name, duration in (("tool", timing.tool), ("wire", timing.wire), ("record", timing.record))
        if timing.HasField(name)  # pyright: ignore[reportArgumentType]
    ]
    if attempt.HasField("failure"):
        parts.append(failure_text(attempt.failure))
    return f"{attempt.number}: {', '.join(parts)}"


def _end(attempt: proposal_pb2.Attempt) -> str:
    return f"ended {moment_text(attempt.finish_time)}" if attempt.HasField("finish_time") else "not ended"
