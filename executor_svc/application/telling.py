"""What is said of a call while it runs: to its streams, and to its tool's author."""

import logging

from executor_svc.application import failures
from executor_svc.application.outbox import ChunkEntry, ProgressEntry
from executor_svc.application.run import Run
from executor_svc.application.tracebacks import Told

_log = logging.getLogger(__name__)


def tell_chunks(run: Run) -> None:
    """Those that wait. On the loop only."""
    for chunk in run.take_chunks(ChunkEntry):
        for stream in dict.fromkeys(run.sinks):
            stream.outbox.put_chunk(chunk)


def tell_progress(run: Run) -> None:
    """The newest, if it has not gone out."""
    latest, run.latest = run.latest, None
    if latest is not None:
        entry = ProgressEntry(run.call.id, *latest)
        for stream in dict.fromkeys(run.sinks):
            stream.outbox.put_progress(entry)


def log_raised(run: Run, error: BaseException) -> None:
    """For the tool's author."""
    call, told = run.call, run.hosted.tracebacks.take(run.means.clock.monotonic())
    if told is Told.WHOLE:
        trace = (type(error), error, failures.own_frames(error))
        _log.warning("tool %s %s has raised, in call %s", call.tool, call.version, call.id, exc_info=trace)
    elif told is Told.LEFT_OUT:
        text = "tool %s %s has raised, in call %s; its traceback is left out, as are others that follow so soon"
        _log.warning(text, call.tool, call.version, call.id)


def log_stuck(run: Run, stuck: int) -> None:
    who, why = f"tool {run.call.tool} {run.call.version}, call {run.call.id},", run.stop.value if run.stop else "failed"
    what = "has left work on threads that goes on" if run.lingers else "does not stop"
    _log.warning("%s %s (%s) and keeps its slot; stuck now: %d", who, what, why, stuck)
