"""Between the tool kit's words and the executor's: arguments in, results and errors out, the context."""

import asyncio
import json
import logging
import math
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NoReturn, cast

from executor_svc.domain.outcome import Failure, FailureClass, KnownEffect, ToolFailure
from executor_svc.ports.tool import RunningCall
from greenlight_tool import Cancelled, ToolContext, ToolError
from greenlight_tool.results import ResultError, encode
from greenlight_tool.signature import ArgumentsError
from shared.kernel.clock import Clock
from shared.kernel.errors import FieldViolation, InvalidError

_NO_VALUES: Mapping[str, Any] = MappingProxyType({})
_LONGEST_RETRY_AFTER = 86_400.0


class ForkRefusedError(Exception):
    """A tool may start programs (subprocess), but not fork the executor: threads and connections would be shared."""


class ToolSignals:
    """A context's voice; values become JSON text before they leave the tool's thread."""

    __slots__ = ("_running",)

    def __init__(self, running: RunningCall) -> None:
        self._running = running

    @property
    def cancelled(self) -> bool:
        return self._running.cancelled

    def progress(self, fraction: float | None, message: str) -> None:
        self._running.progress(fraction, message)

    def chunk(self, value: Any) -> None:
        self._running.chunk(encode(value))


class Lifespan:
    """What the toolbox's lifespan yielded, once it is open."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Any = None


def invalid(error: ArgumentsError) -> InvalidError:
    """ARGUMENTS_INVALID, with where they do not fit."""
    violations = [
        FieldViolation(f"arguments.{path}" if path else "arguments", problem) for path, problem in error.problems
    ]
    return InvalidError("ARGUMENTS_INVALID", str(error), violations=violations)


def make_context(running: RunningCall, lifespan: Lifespan, clock: Clock) -> ToolContext:
    """Raises InvalidError where the session's context values are no JSON object."""
    call, origin = running.call, running.call.origin
    return ToolContext(
        tenant=origin.tenant,
        principal=origin.principal,
        session_id=origin.session_id,
        session=_session(origin.context_json) if origin.context_json else _NO_VALUES,
        agent=call.agent,
        batch_id=origin.batch_id,
        proposal_id=call.proposal_id,
        labels=origin.labels,
        attempt=call.attempt,
        idempotency_key=call.idempotency_key,
        deadline=clock.now() + timedelta(seconds=running.timeout),
        expires=clock.monotonic() + running.timeout,
        lifespan=lifespan.value,
        logger=logging.LoggerAdapter(logging.getLogger(f"greenlight.tool.{call.tool}"), {"call_id": call.id}),
        signals=ToolSignals(running),
    )


def reraise(error: BaseException, running: RunningCall) -> NoReturn:
    """Raises what a tool raised, in the executor's words where there are any."""
    if isinstance(error, ToolError):
        raise ToolFailure(
            Failure(
                FailureClass(error.failure_class),
                KnownEffect(error.effect),
                str(error.reason),
                str(error.message),
                _seconds(error.retry_after),
            )
        ) from error
    if isinstance(error, ForkRefusedError):
        raise _permanent("FORK_REFUSED", str(error), KnownEffect.POSSIBLE) from error
    if isinstance(error, ResultError):
        raise _permanent("RESULT_NOT_JSON", f"a chunk is not JSON: {error}", KnownEffect.POSSIBLE) from error
    if isinstance(error, Cancelled) and running.cancelled:
        raise asyncio.CancelledError from error
    raise error


def unusable(error: ResultError) -> ToolFailure:
    """Of a tool that has returned: it had its effect, only the result is no JSON."""
    return _permanent("RESULT_NOT_JSON", f"its result is not JSON: {error}", KnownEffect.DONE)


def _permanent(reason: str, message: str, effect: KnownEffect) -> ToolFailure:
    return ToolFailure(Failure(FailureClass.PERMANENT, effect, reason, message))


def _session(context_json: str) -> Mapping[str, Any]:
    try:
        values = json.loads(context_json)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise InvalidError("CONTEXT_INVALID", "the session's context values are no JSON object")
    return MappingProxyType(cast(dict[str, Any], values))


def _seconds(retry_after: float | None) -> float | None:
    if retry_after is None or not math.isfinite(retry_after):
        return None
    return min(max(0.0, float(retry_after)), _LONGEST_RETRY_AFTER)
