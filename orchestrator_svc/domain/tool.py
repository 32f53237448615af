"""What the orchestrator knows of a tool, and the words for how a call of it failed. Numbers are those of the wire."""

from dataclasses import dataclass, field
from enum import IntEnum


class Effect(IntEnum):
    """What running a tool does to the world outside; decides what may be repeated."""

    READ = 1
    IDEMPOTENT = 2
    NON_IDEMPOTENT = 3


class Tier(IntEnum):
    """How much of a decision a proposal needs; a larger number is stricter."""

    AUTO = 1
    SOFT = 2
    HARD = 3


class FailureClass(IntEnum):
    """How an attempt failed; decides whether it is retried."""

    INVALID_ARGUMENT = 1
    PERMISSION = 2
    PERMANENT = 3
    TRANSIENT = 4
    RATE_LIMITED = 5
    UNAVAILABLE = 6
    TIMEOUT = 7
    CANCELLED = 8


class KnownEffect(IntEnum):
    """What is known of the effect of an attempt that gave no usable result."""

    NONE = 1
    POSSIBLE = 2
    DONE = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt failed. `retry_after` in ns; `refused`: before the tool started, so the attempt does not count."""

    failure_class: FailureClass
    known_effect: KnownEffect
    reason: str
    message: str
    retry_after: int | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Attempts in all; delays in ns, with full jitter, doubling from `initial_delay` to `max_delay`."""

    max_attempts: int = 3
    initial_delay: int = 2_000_000_000
    max_delay: int = 30_000_000_000


@dataclass(frozen=True, slots=True)
class ToolKey:
    """A tool of one version: what has one descriptor for ever."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class ToolDescriptor:
    """A tool as its executors describe it. Times in ns, sizes in bytes; None and 0 as on the wire: the default.

    `probes`: it can look for the effect of a call; no part of what is one for ever.
    """

    key: ToolKey
    description: str
    arguments_schema_json: str
    result_schema_json: str
    effect: Effect
    tier: Tier
    timeout: int | None = None
    stall_timeout: int | None = None
    ttl: int | None = None
    concurrency: int = 0
    result_limit: int = 0
    cost_amount: float = 0.0
    cost_unit: str = ""
    retry: RetryPolicy | None = None
    probes: bool = field(default=False, compare=False)


def version_order(version: str, first_seen: int) -> tuple[int, tuple[int, ...], int]:
    """Sort key: dotted integers by number, above anything else, which sorts by when it was first seen."""
    parts = version.split(".")
    if all(part.isascii() and part.isdigit() for part in parts):
        return (1, tuple(int(part) for part in parts), first_seen)
    return (0, (), first_seen)
