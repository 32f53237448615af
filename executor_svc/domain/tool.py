"""A tool as its executor describes it. One (name, version) has one description for ever."""

from dataclasses import dataclass, field
from enum import Enum


class Effect(Enum):
    """What running a tool does to the world outside."""

    READ = "READ"
    IDEMPOTENT = "IDEMPOTENT"
    NON_IDEMPOTENT = "NON_IDEMPOTENT"


class Tier(Enum):
    """The least decision that a call needs before it may run; held by whoever sends calls, not here."""

    AUTO = "AUTO"
    SOFT = "SOFT"
    HARD = "HARD"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call costs; listed only."""

    amount: float
    unit: str


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often the sender makes a failed attempt again; listed only. Delays in seconds."""

    max_attempts: int
    initial_delay: float
    max_delay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """What is known of a tool without running it. Times in seconds, sizes in bytes of JSON, schemas as JSON text.

    `probes`: it can look for the effect of a call; no part of what makes two descriptions different.
    """

    name: str
    version: str
    description: str
    arguments_schema: str
    result_schema: str | None
    effect: Effect
    tier: Tier
    timeout: float
    stall_timeout: float | None
    ttl: float | None
    concurrency: int | None
    result_limit: int
    cost: Cost | None
    retry: RetryPolicy | None
    probes: bool = field(default=False, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.version


def version_order(version: str) -> tuple[int, tuple[int, ...], str]:
    """Sorts versions: dotted integers by number, above anything else, which sorts as text."""
    parts = version.split(".")
    if all(part.isascii() and part.isdigit() for part in parts):
        return 1, tuple(map(int, parts)), version
    return 0, (), version
