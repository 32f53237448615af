"""An attempt in one line: when it was sent, to whom, when it ended and how."""

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli.badges import failure_text
from greenlight_client.cli.formats import count_text, duration_text, milliseconds_text, moment_text, short_id
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


def known_of(item: proposal_pb2.Proposal) -> list[str]:
    """What is known of a call whose outcome is unknown, a line each: since when, whether it may still run, looks."""
    if not item.attempts:
        return []
    last = item.attempts[-1]
    lines = [f"unknown since {moment_text(last.finish_time)}"] if last.HasField("finish_time") else []
    lines.append(MAY_STILL_RUN if may_still_run(item) else "it is over: its executor has said so")
    if last.HasField("probe"):
        lines.append(_looked(last.probe))
    if item.HasField("finish_time"):
        lines.append(f"given up {moment_text(item.finish_time)}: what needed its success was skipped")
    elif item.waiting.HasField("until_time"):
        lines.append(f"given up {moment_text(item.waiting.until_time)}, if nobody has said by then what became of it")
    return lines


MAY_STILL_RUN = "it may still be running: nobody has said that it is over"


def may_still_run(item: proposal_pb2.Proposal) -> bool:
    """Whether any of its attempts may still be at work."""
    return any(attempt.may_still_run for attempt in item.attempts)


def finding_text(finding: proposal_pb2.ProbeFinding.ValueType, message: str) -> str:
    """What a look for its effect came to."""
    if finding == proposal_pb2.PROBE_FINDING_FOUND:
        return "found"
    if finding == proposal_pb2.PROBE_FINDING_NOT_FOUND:
        return "not found so far"
    return f"that failed: {clean(message)}" if message else "that failed"


def _looked(probe: proposal_pb2.Probe) -> str:
    times = count_text(probe.count, "time")
    found = finding_text(probe.finding, probe.message)
    return f"its effect was looked for {times}, last {moment_text(probe.probe_time)}: {found}"
