"""What a tool declares of itself, as data; the executor turns it into the descriptor on the wire."""

import math
import re
from dataclasses import dataclass
from enum import StrEnum

MAX_RESULT_LIMIT = 2 << 20
DEFAULT_RESULT_LIMIT = 1 << 20
DEFAULT_TIMEOUT = 30.0
DEFAULT_PROBE_TIMEOUT = 10.0
LONGEST = 365 * 86_400.0

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_VERSION = re.compile(r"[\x21-\x7e]{1,64}")


class Effect(StrEnum):
    """What running the tool does to the world outside; decides what may be repeated."""

    READ = "READ"
    """Changes nothing."""
    IDEMPOTENT = "IDEMPOTENT"
    """Twice with the same idempotency key is as once."""
    NON_IDEMPOTENT = "NON_IDEMPOTENT"
    """Every run counts."""


class Tier(StrEnum):
    """The least decision that a call needs before it may run."""

    AUTO = "AUTO"
    """Runs without one."""
    SOFT = "SOFT"
    """The user's next turn confirms it unless they object."""
    HARD = "HARD"
    """Somebody says yes to exactly these arguments."""


_TIERS = {Effect.READ: Tier.AUTO, Effect.IDEMPOTENT: Tier.SOFT, Effect.NON_IDEMPOTENT: Tier.HARD}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call costs, for example `Cost(0.01, "USD")`. Stored and listed only."""

    amount: float
    unit: str


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a failed attempt is made again, in all and with what delays (seconds, doubling, full jitter)."""

    max_attempts: int = 3
    initial_delay: float = 2.0
    max_delay: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """Everything that is declared of one tool. Times are seconds, sizes bytes of JSON; None: not declared."""

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
    retry: Retry | None
    probe_timeout: float = DEFAULT_PROBE_TIMEOUT


def tier_of(effect: Effect) -> Tier:
    """The tier of a tool that declares none."""
    return _TIERS[effect]


def check(spec: ToolSpec) -> ToolSpec:
    """Returns the spec, or raises a ValueError that says what is wrong with the declaration."""
    if not _NAME.fullmatch(spec.name):
        raise ValueError(f"tool name {spec.name!r}: 1-128 characters of A-Z a-z 0-9 _ . -")
    if not _VERSION.fullmatch(spec.version):
        raise ValueError(f"tool {spec.name}: version {spec.version!r}: 1-64 visible ASCII characters")
    for field in ("timeout", "stall_timeout", "ttl", "probe_timeout"):
        value = getattr(spec, field)
        if value is not None and not (isinstance(value, int | float) and math.isfinite(value) and 0 < value <= LONGEST):
            raise ValueError(f"tool {spec.name}: {field} is seconds above 0, at most a year, not {value!r}")
    if spec.concurrency is not None and spec.concurrency < 1:
        raise ValueError(f"tool {spec.name}: concurrency is 1 or more, not {spec.concurrency!r}")
    if not 1 <= spec.result_limit <= MAX_RESULT_LIMIT:
        raise ValueError(f"tool {spec.name}: result_limit is 1 to {MAX_RESULT_LIMIT} bytes, not {spec.result_limit!r}")
    for field, kind in (("cost", Cost), ("retry", Retry)):
        value = getattr(spec, field)
        if value is not None and not isinstance(value, kind):
            raise ValueError(f"tool {spec.name}: {field} is a {kind.__name__}(...), not {value!r}")
    if spec.cost and not (math.isfinite(spec.cost.amount) and spec.cost.amount >= 0 and spec.cost.unit):
        raise ValueError(f"tool {spec.name}: cost is an amount of 0 or more and a unit, not {spec.cost!r}")
    retry = spec.retry
    if retry and not (1 <= retry.max_attempts <= 1000 and 0 <= retry.initial_delay <= retry.max_delay <= LONGEST):
        raise ValueError(f"tool {spec.name}: retry is 1 to 1000 attempts and 0 <= initial_delay <= max_delay")
    return spec
