"""Calls a tool without any server, with the validation of arguments and results that the executor makes."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from greenlight_tool.context import ToolContext
from greenlight_tool.declaration import Kind, Tool
from greenlight_tool.probing import NOT_FOUND
from greenlight_tool.results import encode
from greenlight_tool.signature import ArgumentsError

__all__ = ["ArgumentsError", "RecordedSignals", "call", "fake_context", "probe"]

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class RecordedSignals:
    """Keeps what a tool says; set `cancelled` to ask it to stop."""

    def __init__(self) -> None:
        self.cancelled = False
        self.progressed: list[tuple[float | None, str]] = []
        self.chunks: list[Any] = []

    def progress(self, fraction: float | None, message: str) -> None:
        self.progressed.append((fraction, message))

    def chunk(self, value: Any) -> None:
        self.chunks.append(json.loads(encode(value)))


def fake_context(**given: Any) -> ToolContext:
    """A context with made-up values; `given` replaces any of them (`tenant="acme"`, `signals=RecordedSignals()`)."""
    values: dict[str, Any] = {
        "tenant": "default",
        "principal": "user:test",
        "session_id": "session",
        "session": {},
        "agent": "agent",
        "batch_id": "batch",
        "proposal_id": "batch/proposal",
        "labels": {},
        "attempt": 1,
        "idempotency_key": "key",
        "deadline": _NOON + timedelta(seconds=30),
        "expires": time.monotonic() + 30,
        "signals": RecordedSignals(),
    }
    return ToolContext(**values | given)


async def call(
    tool: Tool[..., Any],
    arguments: Mapping[str, Any] | str | None = None,
    *,
    context: ToolContext | None = None,
    lifespan: AbstractAsyncContextManager[Any] | None = None,
) -> Any:
    """Runs the tool and returns its result as its callers get it: decoded JSON.

    Raises ArgumentsError where the arguments do not fit the schema, ResultError where the result is not JSON, and
    whatever the tool raises. `lifespan` is entered around the call, its value goes into the context.
    """
    passed = tool.signature.parse(_text(arguments))
    async with lifespan or contextlib.nullcontext() as shared:
        if tool.signature.context_name:
            given = context or fake_context(lifespan=shared)
            passed[tool.signature.context_name] = given
        encoded = await _run(tool, passed, context)
    return _decoded(tool, encoded)


async def probe(
    tool: Tool[..., Any],
    arguments: Mapping[str, Any] | str | None = None,
    idempotency_key: str = "key",
    *,
    context: ToolContext | None = None,
    lifespan: AbstractAsyncContextManager[Any] | None = None,
) -> Any:
    """Runs the tool's probe and returns what it found as callers get it, or NOT_FOUND. Raises as `call`."""
    if tool.probe is None:
        raise TypeError(f"tool {tool.spec.name} declares no probe")
    passed = tool.signature.parse(_text(arguments))
    async with lifespan or contextlib.nullcontext() as shared:
        given = tool.probe.passed(context or fake_context(lifespan=shared, idempotency_key=idempotency_key))
        if tool.probe.is_coroutine:
            value = await tool.probe.function(passed, idempotency_key, **given)
        else:
            value = await asyncio.to_thread(tool.probe.function, passed, idempotency_key, **given)
    encoded = tool.encode_found(value)
    return NOT_FOUND if encoded is None else _decoded(tool, encoded)


def _text(arguments: Mapping[str, Any] | str | None) -> str:
    return arguments if isinstance(arguments, str) else encode(dict(arguments or {})).decode()


def _decoded(tool: Tool[..., Any], encoded: bytes) -> Any:
    if len(encoded) > tool.spec.result_limit:
        raise ValueError(f"the result takes {len(encoded)} bytes, more than the limit of {tool.spec.result_limit}")
    return json.loads(encoded)


async def _run(tool: Tool[..., Any], passed: dict[str, Any], context: ToolContext | None) -> bytes:
    match tool.kind:
        case Kind.COROUTINE:
            return tool.encode(await cast(Awaitable[Any], tool.function(**passed)))
        case Kind.PLAIN:
            return tool.encode(await asyncio.to_thread(tool.function, **passed))
        case Kind.GENERATOR:
            parts: list[bytes] = []
            async with contextlib.aclosing(tool.function(**passed)) as yields:
                async for value in cast(AsyncIterator[Any], yields):
                    parts.append(tool.encode(value))
                    if context:
                        context.chunk(value)
            return b"[" + b",".join(parts) + b"]"
