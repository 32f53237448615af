"""The command's one look at the machine's wall clock, to say how long ago the server's times are."""

from datetime import UTC, datetime


def now() -> datetime:
    """Aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is its home
