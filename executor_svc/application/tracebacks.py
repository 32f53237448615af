"""How many tracebacks of a tool the log gets: they must not be all that it says, nor be left out in silence."""

from enum import Enum

AT_ONCE = 5
EVERY = 1.0
"""Seconds in which one more is allowed."""


class Told(Enum):
    """What the log says of one that was raised."""

    WHOLE = 1
    LEFT_OUT = 2
    NOTHING = 3


class Tracebacks:
    """So many at once, then one every so often; of those between only the first is mentioned, without its traceback."""

    __slots__ = ("_mentioned", "_used_until")

    def __init__(self) -> None:
        self._used_until = 0.0
        self._mentioned = False

    def take(self, now: float) -> Told:
        """`now`: monotonic s."""
        if self._used_until <= now + (AT_ONCE - 1) * EVERY:
            self._used_until = max(self._used_until, now) + EVERY
            self._mentioned = False
            return Told.WHOLE
        told = Told.NOTHING if self._mentioned else Told.LEFT_OUT
        self._mentioned = True
        return told
