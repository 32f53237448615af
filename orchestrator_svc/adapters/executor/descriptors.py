"""From an executor's descriptors to the domain's; what is malformed is named, and not used."""

import math
import re
from collections.abc import Iterable

import orjson
from google.protobuf.duration_pb2 import Duration

from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.domain.tool import Effect, RetryPolicy, Tier, ToolDescriptor, ToolKey

MAX_BYTES = 2 << 20
"""Of one descriptor: it is listed in messages that stock clients take."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_VERSION = re.compile(r"[A-Za-z0-9_.+-]{1,128}")
_DEFAULT_VERSION = "1"
_DEFAULT_TIER = {Effect.READ: Tier.AUTO, Effect.IDEMPOTENT: Tier.SOFT, Effect.NON_IDEMPOTENT: Tier.HARD}
_RETRY = RetryPolicy()
_SECOND = 1_000_000_000
_MAX_SECONDS = (1 << 63) // _SECOND - 1
_SHOWN = 160


class _MalformedError(ValueError):
    """The message says what is wrong with it."""


def read_descriptors(
    tools: Iterable[tool_pb2.ToolDescriptor],
) -> tuple[tuple[ToolDescriptor, ...], dict[str, str]]:
    """Returns what is sound, by first appearance, and what is not: `name@version` -> why."""
    sound: dict[ToolKey, ToolDescriptor] = {}
    malformed: dict[str, str] = {}
    for tool in tools:
        try:
            descriptor = _read(tool)
            if sound.setdefault(descriptor.key, descriptor) != descriptor:
                raise _MalformedError("described twice, and not the same")
        except _MalformedError as error:
            name = f"{tool.name or '?'}@{tool.version or _DEFAULT_VERSION}"
            malformed[name[:_SHOWN].encode("ascii", "backslashreplace").decode()] = str(error)
    return tuple(sound.values()), malformed


def _read(tool: tool_pb2.ToolDescriptor) -> ToolDescriptor:
    version = tool.version or _DEFAULT_VERSION
    if not _NAME.fullmatch(tool.name) or not _VERSION.fullmatch(version):
        raise _MalformedError("name and version are 1-128 characters of A-Z, a-z, 0-9, '_', '.', '-'")
    if tool.ByteSize() > MAX_BYTES:
        raise _MalformedError(f"its description and schemas have more than {MAX_BYTES:,} bytes")
    effect = _read_effect(tool.effect)
    _check_schema("arguments_schema_json", tool.arguments_schema_json)
    if tool.result_schema_json:
        _check_schema("result_schema_json", tool.result_schema_json)
    if tool.concurrency < 0 or tool.result_limit_bytes < 0 or not math.isfinite(tool.cost.amount):
        raise _MalformedError("concurrency, result_limit_bytes or cost is not a number that makes sense")
    return ToolDescriptor(
        ToolKey(tool.name, version),
        tool.description,
        tool.arguments_schema_json,
        tool.result_schema_json,
        effect,
        _read_tier(tool.tier, effect),
        _read_duration("timeout", tool.timeout) if tool.HasField("timeout") else None,
        _read_duration("stall_timeout", tool.stall_timeout) if tool.HasField("stall_timeout") else None,
        _read_duration("ttl", tool.ttl) if tool.HasField("ttl") else None,
        tool.concurrency,
        tool.result_limit_bytes,
        tool.cost.amount,
        tool.cost.unit,
        _read_retry(tool.retry_policy) if tool.HasField("retry_policy") else None,
        tool.probes,
    )


def _read_effect(number: int) -> Effect:
    """A later value is read as the strictest one."""
    if number <= 0:
        raise _MalformedError("effect is required")
    return Effect(number) if number in (1, 2) else Effect.NON_IDEMPOTENT


def _read_tier(number: int, effect: Effect) -> Tier:
    if number < 0:
        raise _MalformedError("tier is not one of the enum")
    if number == 0:
        return _DEFAULT_TIER[effect]
    return Tier(number) if number in (1, 2) else Tier.HARD


def _read_retry(policy: tool_pb2.RetryPolicy) -> RetryPolicy:
    if policy.max_attempts < 0:
        raise _MalformedError("retry_policy.max_attempts is negative")
    initial, longest = _RETRY.initial_delay, _RETRY.max_delay
    if policy.HasField("initial_delay"):
        initial = _read_duration("retry_policy.initial_delay", policy.initial_delay)
    if policy.HasField("max_delay"):
        longest = _read_duration("retry_policy.max_delay", policy.max_delay)
    return RetryPolicy(policy.max_attempts or _RETRY.max_attempts, initial, longest)


def _read_duration(name: str, duration: Duration) -> int:
    nanoseconds = duration.seconds * _SECOND + duration.nanos
    if not 0 <= nanoseconds < _MAX_SECONDS * _SECOND:
        raise _MalformedError(f"{name} is out of range")
    return nanoseconds


def _check_schema(name: str, text: str) -> None:
    """Whether it is a schema at all; whether it is a sound one is judged where it is compiled."""
    try:
        schema = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _MalformedError(f"{name} is not JSON: {error}") from None
    if not isinstance(schema, dict | bool):
        raise _MalformedError(f"{name} is neither an object nor a boolean")
