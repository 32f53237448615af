"""The decorator: a function and what its author declares of it become a Tool, which still is the function."""

import inspect
from collections.abc import Callable
from enum import Enum
from typing import Any, Generic, Literal, ParamSpec, TypeVar

from greenlight_tool import probing, results, signature
from greenlight_tool.probing import NOT_FOUND, Probe, ProbeFunction
from greenlight_tool.spec import (
    DEFAULT_PROBE_TIMEOUT,
    DEFAULT_RESULT_LIMIT,
    DEFAULT_TIMEOUT,
    Cost,
    Effect,
    Retry,
    Tier,
    ToolSpec,
    check,
    tier_of,
)

P = ParamSpec("P")
R = TypeVar("R")

EffectName = Effect | Literal["READ", "IDEMPOTENT", "NON_IDEMPOTENT"]
TierName = Tier | Literal["AUTO", "SOFT", "HARD"]


class Kind(Enum):
    """How the function is run."""

    COROUTINE = "async def"
    GENERATOR = "async def with yield"
    PLAIN = "def"


class Tool(Generic[P, R]):
    """A declared tool. Calling it calls the function; the executor uses the other members."""

    def __init__(
        self, function: Callable[P, R], spec: ToolSpec, found: signature.Signature, probe: Probe | None = None
    ) -> None:
        self.function = function
        self.spec = spec
        self.signature = found
        self.kind = _kind(function)
        self.encode = results.encoder(found.returned)
        self.probe = probe
        self.__name__ = spec.name
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def encode_found(self, value: Any) -> bytes | None:
        """What its probe returned, as the call's result; None: it found nothing."""
        if value is NOT_FOUND:
            return None
        if self.kind is Kind.GENERATOR:
            return b"[" + b",".join(self.encode(part) for part in value) + b"]"
        return self.encode(value)

    def __repr__(self) -> str:
        return f"<tool {self.spec.name} {self.spec.version} ({self.spec.effect})>"


def tool(
    function: None = None,
    /,
    *,
    effect: EffectName,
    name: str | None = None,
    version: str = "1",
    description: str | None = None,
    tier: TierName | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    stall_timeout: float | None = None,
    ttl: float | None = None,
    concurrency: int | None = None,
    result_limit: int = DEFAULT_RESULT_LIMIT,
    cost: Cost | None = None,
    retry: Retry | None = None,
    probe: ProbeFunction | None = None,
    probe_timeout: float = DEFAULT_PROBE_TIMEOUT,
) -> Callable[[Callable[P, R]], Tool[P, R]]:
    """Declares an async function, a plain function (run on a thread) or an async generator (yields chunks) as a tool.

    Name and description default to the function's name and docstring; the schemas come from the type hints. Times are
    seconds, `result_limit` bytes of JSON (at most 2 MiB). `tier` defaults by effect: READ AUTO, IDEMPOTENT SOFT,
    NON_IDEMPOTENT HARD. `probe` looks for the effect of a call whose outcome is unknown: it gets the validated
    arguments and the idempotency key (and a ToolContext, if it has a parameter of that type), and returns the call's
    result, or NOT_FOUND. Raises TypeError or ValueError where a declaration cannot stand.
    """
    if function is not None:
        raise TypeError("write @tool(effect=...) above the function")

    def declare(function: Callable[P, R]) -> Tool[P, R]:
        tool_name = name or getattr(function, "__name__", "")
        if effect not in list(Effect):
            raise ValueError(f"tool {tool_name}: effect is READ, IDEMPOTENT or NON_IDEMPOTENT, not {effect!r}")
        declared = Effect(effect)
        if probe is not None and declared is not Effect.NON_IDEMPOTENT:
            raise ValueError(
                f"tool {tool_name}: only a NON_IDEMPOTENT tool has outcomes that are unknown: no probe where it is "
                f"{declared}"
            )
        found = signature.read(function, tool_name)
        spec = ToolSpec(
            name=tool_name,
            version=version,
            description=found.description if description is None else description,
            arguments_schema=found.arguments_schema,
            result_schema=found.result_schema,
            effect=declared,
            tier=Tier(tier) if tier else tier_of(declared),
            timeout=timeout,
            stall_timeout=stall_timeout,
            ttl=ttl,
            concurrency=concurrency,
            result_limit=result_limit,
            cost=cost,
            retry=retry,
            probe_timeout=probe_timeout,
        )
        return Tool(function, check(spec), found, probing.read(probe, tool_name) if probe is not None else None)

    return declare


def _kind(function: Callable[..., Any]) -> Kind:
    if inspect.isasyncgenfunction(function):
        return Kind.GENERATOR
    if inspect.isgeneratorfunction(function):
        raise TypeError(f"{function.__name__}: a generator must be `async def`")
    return Kind.COROUTINE if inspect.iscoroutinefunction(function) else Kind.PLAIN
