"""The words for how a call failed: by what stopped it, and by what its tool raised."""

from types import TracebackType

from executor_svc.application.run import Run, Stop, too_many_chunks
from executor_svc.domain.outcome import Failure, FailureClass, KnownEffect, ToolFailure, refusal
from executor_svc.domain.text import clean, describe
from shared.kernel.errors import GreenlightError, InvalidError

RAISED = "TOOL_RAISED"
_MESSAGE = 4000
_CALLERS = frozenset({"asyncio", "concurrent", "executor_svc", "greenlight_tool", "pydantic", "threading"})

_STOPPED = {
    Stop.CANCELLED: (FailureClass.CANCELLED, "CANCELLED", "it was cancelled"),
    Stop.TIMEOUT: (FailureClass.TIMEOUT, "TOOL_TIMEOUT", "it took longer than {timeout:g} s"),
    Stop.STALLED: (FailureClass.TIMEOUT, "TOOL_STALLED", "no sign of life for {stall_timeout:g} s"),
    Stop.HELD_LOOP: (FailureClass.PERMANENT, "LOOP_BLOCKED", "it held the event loop and kept others from running"),
    Stop.SHUTDOWN: (FailureClass.UNAVAILABLE, "EXECUTOR_STOPPED", "the executor was shut down"),
}


def of_error(run: Run, error: BaseException) -> Failure:
    """The failure of a run that ended with this error."""
    if run.stop is not None:
        # What stopped it decides the class; the tool may still know more of its effect.
        effect = error.failure.effect if isinstance(error, ToolFailure) else KnownEffect.POSSIBLE
        return of_stop(run, run.stop, effect)
    if isinstance(error, ToolFailure):
        return _cleaned(error.failure)
    if not run.start_ns:
        return _before_start(error)
    return Failure(FailureClass.TRANSIENT, KnownEffect.POSSIBLE, RAISED, describe(error, _MESSAGE))


def own_frames(error: BaseException) -> TracebackType | None:
    """Where the tool raised, without the frames of what called it; all of them, where none is the tool's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _CALLERS:
        trace = trace.tb_next
    return trace or error.__traceback__


def of_stop(run: Run, stop: Stop, effect: KnownEffect = KnownEffect.POSSIBLE) -> Failure:
    """The failure of a run that was asked to stop, and did not come to a result."""
    failure_class, reason, text = _STOPPED[stop]
    if run.start_ns:
        spec = run.tool.spec
        message = text.format(timeout=run.timeout, stall_timeout=spec.stall_timeout or 0)
        return Failure(failure_class, effect, reason, message)
    if stop is Stop.CANCELLED:
        return Failure(failure_class, KnownEffect.NONE, reason, "it was cancelled before it started")
    waited = f"it waited {run.timeout:g} s for a thread" if stop is Stop.TIMEOUT else text
    return refusal(FailureClass.UNAVAILABLE, "NOT_STARTED", waited)


def spoiled(run: Run, result: bytes) -> Failure | None:
    """Why a result that the tool did return cannot be used."""
    size, limit = len(result), run.tool.spec.result_limit
    if size > limit:
        message = f"the result takes {size} bytes, more than the limit of {limit}"
        return Failure(FailureClass.PERMANENT, KnownEffect.DONE, "RESULT_TOO_LARGE", message)
    return too_many_chunks(limit) if run.overflow else None


def held_loop(run: Run, failure: Failure | None) -> Failure:
    """Of a call that held the loop, whatever it came to; None: it returned."""
    return of_stop(run, Stop.HELD_LOOP, failure.effect if failure else KnownEffect.DONE)


def _before_start(error: BaseException) -> Failure:
    if isinstance(error, InvalidError):
        return refusal(FailureClass.INVALID_ARGUMENT, error.reason, clean(error.message, _MESSAGE))
    said = error.message if isinstance(error, GreenlightError) else describe(error, _MESSAGE)
    return refusal(FailureClass.PERMANENT, "NOT_STARTED", clean(said, _MESSAGE))


def _cleaned(failure: Failure) -> Failure:
    message, reason = clean(failure.message, _MESSAGE), clean(failure.reason, 64)
    return Failure(failure.failure_class, failure.effect, reason, message, failure.retry_after, failure.refused)
