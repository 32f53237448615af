"""The process around a service: event loop, signals, garbage collection, log, and the line that says it is ready."""

import asyncio
import contextlib
import gc
import importlib
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine
from typing import Any, NoReturn

from shared.runtime.log_lines import LineFormatter
from shared.runtime.output import drain_output
from shared.runtime.precise_selector import PreciseSelector
from shared.runtime.telemetry.logs import TraceFilter

_AFTER_DRAINING = 5.0
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s%(trace)s"


def run(main: Coroutine[Any, Any, int], *, uvloop: bool = False, exit_grace: float | None = None) -> int:
    """Runs a service's main coroutine on a loop of its own; returns its exit code.

    With `exit_grace` the process ends that many seconds after `main` has, whatever threads still run in it. Where
    somebody within has cancelled it, `main` has failed.
    """
    factory = importlib.import_module("uvloop").new_event_loop if uvloop else _new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        try:
            code = runner.run(main)
        except asyncio.CancelledError:
            logging.getLogger(__name__).error("the service was cancelled, and not by its owner")
            code = 1
        if exit_grace is not None:
            _end_after(exit_grace, code)
        return code


def _new_event_loop() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(PreciseSelector())


def _end_after(seconds: float, code: int) -> None:
    def end() -> None:
        logging.getLogger(__name__).warning("threads that do not end are left behind")
        end_at_once(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def end_at_once(code: int) -> NoReturn:
    """Without any clean-up but the log's: for when it cannot be waited for, or is not safe."""
    logging.shutdown()
    drain_output()
    os._exit(code)


def stop_signal() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets. The second signal ends the process at once, as if nobody listened."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        stopped.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stopped


def stop_with_parent(stopped: asyncio.Event, pipe: int, drain_grace: float) -> None:
    """Sets `stopped` once the other end of `pipe`, which only the parent holds, is closed; -1: there is no pipe.

    A thread waits for it, so that it is noticed while the loop stands still too: nobody is left who would kill this
    process, so it ends itself where draining takes longer than it may.
    """
    if pipe < 0:
        return
    os.set_inheritable(pipe, False)
    loop = asyncio.get_running_loop()

    def wait() -> None:
        while os.read(pipe, 64):
            pass
        with contextlib.suppress(RuntimeError):  # the loop is closed: it is ending already
            loop.call_soon_threadsafe(stopped.set)
        time.sleep(drain_grace + _AFTER_DRAINING)
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def tune_gc() -> None:
    """To be called once all is loaded: what is there stays, and what comes is looked through less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    sys.setswitchinterval(0.0005)


def log_to_stderr(level: str) -> None:
    """One line a record; stdout is for machines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(_LOG_FORMAT))
    handler.addFilter(TraceFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def say(event: str, **fields: Any) -> None:
    """One JSON object on stdout, for whoever started this process."""
    print(json.dumps({"event": event, **fields}, separators=(",", ":")), flush=True)
