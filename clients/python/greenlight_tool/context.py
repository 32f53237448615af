"""What a tool gets to know of its call, and how it speaks while it runs."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from greenlight_tool.errors import Cancelled


class Signals(Protocol):
    """Where a context's words go. Every method is plain, returns at once, and may be called from any thread."""

    @property
    def cancelled(self) -> bool:
        """True as soon as the call should stop: cancelled, timed out, or the executor is shutting down."""
        ...

    def progress(self, fraction: float | None, message: str) -> None:
        """The newest one replaces one that has not gone out."""
        ...

    def chunk(self, value: Any) -> None:
        """Every one goes out, in order. Raises ResultError where it is not JSON, ToolError where it is too much."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """Ask for it with a parameter of this type: `async def my_tool(city: str, context: ToolContext)`."""

    tenant: str
    """The isolation boundary: keep what you store apart by it."""
    principal: str
    """`kind:name` of whoever submitted the call."""
    session_id: str
    session: Mapping[str, Any]
    """The session's context values."""
    agent: str
    batch_id: str
    proposal_id: str
    labels: Mapping[str, str]
    """The batch's labels."""
    attempt: int
    """From 1."""
    idempotency_key: str
    """The same for every attempt of this call; hand it to whoever makes the effect happen once."""
    deadline: datetime
    """When this attempt times out; aware, in UTC."""
    lifespan: Any = None
    """What the toolbox's `lifespan` yielded."""
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger] = field(default=logging.getLogger("greenlight.tool"))
    signals: Signals = field(repr=False)
    expires: float = field(repr=False)
    """The deadline by `time.monotonic`."""

    @property
    def cancelled(self) -> bool:
        """True as soon as the call should stop. A plain function that runs long looks at it now and then."""
        return self.signals.cancelled

    def raise_if_cancelled(self) -> None:
        """Raises Cancelled if the call should stop."""
        if self.signals.cancelled:
            raise Cancelled

    def remaining(self) -> float:
        """Seconds until the deadline, not below 0."""
        return max(0.0, self.expires - time.monotonic())

    def progress(self, fraction: float | None = None, message: str = "") -> None:
        """Says how far the call is (0 to 1, None: unknown). At most 10 a second go out; the last one always does."""
        self.signals.progress(fraction, message)

    def chunk(self, value: Any) -> None:
        """Sends a part of the output at once. A call's chunks together are held to its result limit."""
        self.signals.chunk(value)
