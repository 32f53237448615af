"""What callers are told by a service that goes: to come again, and when."""

from shared.kernel.errors import UnavailableError

DRAINING = "DRAINING"
WHILE_CALLS_RUN = 5.0
NOTHING_RUNS = 1.0
"""Seconds after which to come again. It is gone, and perhaps back, soon; but not while it waits for calls to end."""


def draining(retry_after: float) -> UnavailableError:
    return UnavailableError(
        DRAINING, "the orchestrator is draining; try again when it is back", retry_after=retry_after
    )
