"""What a tool author imports: the decorator, the context, and the errors by which a tool says how it failed."""

from greenlight_tool.context import ToolContext
from greenlight_tool.declaration import Tool, tool
from greenlight_tool.errors import (
    DONE,
    NONE,
    POSSIBLE,
    Cancelled,
    InvalidArgument,
    KnownEffect,
    Permanent,
    PermissionDenied,
    RateLimited,
    Timeout,
    ToolError,
    Transient,
    Unavailable,
)
from greenlight_tool.probing import NOT_FOUND, NotFound
from greenlight_tool.spec import Cost, Effect, Retry, Tier

__all__ = [
    "DONE",
    "NONE",
    "NOT_FOUND",
    "POSSIBLE",
    "Cancelled",
    "Cost",
    "Effect",
    "InvalidArgument",
    "KnownEffect",
    "NotFound",
    "Permanent",
    "PermissionDenied",
    "RateLimited",
    "Retry",
    "Tier",
    "Timeout",
    "Tool",
    "ToolContext",
    "ToolError",
    "Transient",
    "Unavailable",
    "tool",
]
