"""How times, sizes and ids are written."""

from datetime import UTC, datetime

from google.protobuf import timestamp_pb2

SHORT_ID = 13


def duration_text(seconds: float) -> str:
    """`0.42 s`, `12.3 s`, `2 m 03 s`, `3 h 05 m`, `4 d 02 h`."""
    seconds = max(0.0, seconds)
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02d} h"


def wait_text(seconds: float) -> str:
    """A time that is yet to pass (or long past), in whole units: `3 s`, `12 m`, `1 h 59 m`, `23 h`."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole <= 5400:
        return f"{round(whole / 60)} m"
    if whole < 36_000:
        return f"{round(whole / 60) // 60} h {round(whole / 60) % 60:02d} m"
    return f"{round(whole / 3600)} h" if whole < 172_800 else f"{round(whole / 86_400)} d"


def count_text(count: int, word: str) -> str:
    """`1 decision`, `2 decisions`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def milliseconds_text(seconds: float) -> str:
    """`0.42`, `12.3`, `1234` (milliseconds)."""
    value = seconds * 1000
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def moment(stamp: timestamp_pb2.Timestamp) -> datetime | None:
    """Aware, in UTC; None where the message has none (the zero value)."""
    return stamp.ToDatetime(UTC) if stamp.seconds or stamp.nanos else None


def moment_text(stamp: timestamp_pb2.Timestamp) -> str:
    """`2026-03-01 12:00:05 UTC`, or `-`."""
    return f"{bare_moment_text(stamp)} UTC" if moment(stamp) else "-"


def bare_moment_text(stamp: timestamp_pb2.Timestamp) -> str:
    """The same where the zone is said elsewhere."""
    at = moment(stamp)
    return at.strftime("%Y-%m-%d %H:%M:%S") if at else "-"


def short_id(batch_id: str) -> str:
    """The beginning that tells batches of different milliseconds apart."""
    return batch_id[:SHORT_ID]
