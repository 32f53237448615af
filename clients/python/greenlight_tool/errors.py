"""How a tool says that it failed: the class decides whether the call is retried, `effect` what is known of its effect.

ToolError
├── InvalidArgument   the arguments are wrong                    not retried
├── PermissionDenied  not for this principal                     not retried
├── Permanent         it will fail again                         not retried
├── Transient         it may work the next time                  retried
├── RateLimited       too many calls; honours `retry_after`      retried
├── Unavailable       what the tool needs cannot be reached      retried
└── Timeout           it took too long                           retried if the effect allows
"""

from enum import StrEnum
from typing import ClassVar


class KnownEffect(StrEnum):
    """What the tool knows of its effect when it fails."""

    NONE = "NONE"
    """Nothing happened: the call may be sent again whatever the tool's effect is."""
    POSSIBLE = "POSSIBLE"
    """Nobody can say how far it got."""
    DONE = "DONE"
    """It happened; only the result is missing. Never sent again."""


NONE = KnownEffect.NONE
POSSIBLE = KnownEffect.POSSIBLE
DONE = KnownEffect.DONE


class ToolError(Exception):
    """Base of what a tool raises on purpose. Without an `effect`, one is possible: say NONE where nothing happened.

    `reason` is UPPER_SNAKE_CASE for machines, `message` is for people and models.
    """

    failure_class: ClassVar[str] = "TRANSIENT"
    default_reason: ClassVar[str] = "TOOL_FAILED"

    def __init__(
        self,
        message: str,
        *,
        effect: KnownEffect = POSSIBLE,
        reason: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.effect = KnownEffect(effect)
        self.reason = reason or self.default_reason
        self.retry_after = retry_after


class InvalidArgument(ToolError):
    """The arguments are wrong in a way that the schema cannot say."""

    failure_class = "INVALID_ARGUMENT"
    default_reason = "ARGUMENT_REJECTED"


class PermissionDenied(ToolError):
    """The tool may not do this for this principal."""

    failure_class = "PERMISSION"
    default_reason = "PERMISSION_DENIED"


class Permanent(ToolError):
    """It will fail again."""

    failure_class = "PERMANENT"


class Transient(ToolError):
    """It may work the next time."""

    failure_class = "TRANSIENT"


class RateLimited(ToolError):
    """Too many calls; `retry_after` in seconds is the earliest time for the next attempt."""

    failure_class = "RATE_LIMITED"
    default_reason = "RATE_LIMITED"


class Unavailable(ToolError):
    """What the tool needs cannot be reached; `retry_after` in seconds, if known."""

    failure_class = "UNAVAILABLE"
    default_reason = "DEPENDENCY_UNAVAILABLE"


class Timeout(ToolError):
    """What the tool waited for took too long."""

    failure_class = "TIMEOUT"
    default_reason = "DEPENDENCY_TIMEOUT"


class Cancelled(Exception):
    """Raised by `ToolContext.raise_if_cancelled`; let it pass, the call ends as cancelled or timed out."""
