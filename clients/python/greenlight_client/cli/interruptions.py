"""What a watcher is told of a lost connection: one line when it is lost, one when it is back for good."""

import time
from collections.abc import Callable

from greenlight_client.errors import GreenlightError

_STEADY = 1.5
_DRAINING = "DRAINING"


class Interruptions:
    """`say` gets a line, or "" for `connected again`. A connection that comes and goes at once is not told of."""

    def __init__(self, say: Callable[[str], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._monotonic = monotonic
        self._heard = False
        self._told: str | None = None
        self._back_since: float | None = None

    def lost(self, error: GreenlightError) -> None:
        """It is tried again. That a connection is lost which never was is not said; nor why it is still lost."""
        self._back_since = None
        if not error.reason and not self._heard:
            return
        known = self._told == error.reason or (self._told == _DRAINING and not error.reason)
        if not known:
            self._told = error.reason
            self._say(_text(error))

    def restored(self) -> None:
        """It is there again; whether it stays is seen by `event_came` and `tick`."""
        if self._told is not None:
            self._back_since = self._monotonic()

    def event_came(self) -> None:
        """The surest sign."""
        self._heard = True
        if self._told is not None:
            self._settle()

    def tick(self) -> None:
        """Every now and then."""
        if self._back_since is not None and self._monotonic() - self._back_since >= _STEADY:
            self._settle()

    def _settle(self) -> None:
        self._told = self._back_since = None
        self._say("")


def _text(error: GreenlightError) -> str:
    if error.reason == _DRAINING:
        return "the orchestrator is draining; this goes on as soon as one serves"
    what = error.message if error.reason else f"the connection is lost ({error.message})"
    return f"{what}; trying again"
