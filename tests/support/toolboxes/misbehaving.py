"""Tools that do what they should not: raise, return what is no result, block, flood, fork."""

import asyncio
import contextlib
import ctypes
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from greenlight_tool import (
    DONE,
    NONE,
    InvalidArgument,
    Permanent,
    PermissionDenied,
    RateLimited,
    Timeout,
    ToolContext,
    ToolError,
    Transient,
    Unavailable,
    tool,
)
from tests.support.gates import GATES


@tool(effect="NON_IDEMPOTENT")
async def stubborn(gate: str) -> str:
    """Does not let itself be cancelled."""
    while True:
        try:
            await GATES.reached(gate)
        except asyncio.CancelledError:
            continue
        return gate


@tool(effect="NON_IDEMPOTENT")
async def fail(how: str) -> None:
    """Raises what it is told to."""
    match how:
        case "value_error":
            raise ValueError("broken")
        case "unreadable":
            raise UnreadableError
        case "surrogate":
            raise ValueError("half a character: \ud800")
        case "endless":
            raise ValueError("x" * 10_000_000)
        case "system_exit":
            sys.exit(3)
        case "keyboard_interrupt":
            raise KeyboardInterrupt
        case "cancelled_error":
            raise asyncio.CancelledError
        case "generator_exit":
            raise GeneratorExit
        case "stop_iteration":
            raise StopIteration
        case "task_exits":
            await asyncio.create_task(_exit())
        case "task_group_exits":
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_exit())
        case "recursion":
            _recurse()
        case _:
            raise AssertionError(how)


@tool(effect="NON_IDEMPOTENT")
def fail_on_thread(how: str) -> None:
    match how:
        case "value_error":
            raise ValueError("broken")
        case "system_exit":
            sys.exit(3)
        case "stop_iteration":
            raise StopIteration
        case _:
            raise AssertionError(how)


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


async def _exit() -> None:
    sys.exit(3)


def _recurse() -> None:
    _recurse()


ERRORS: dict[str, ToolError] = {
    "invalid": InvalidArgument("no such ticker", effect=NONE),
    "denied": PermissionDenied("not yours"),
    "permanent": Permanent("gone", effect=DONE, reason="GONE"),
    "transient": Transient("try again"),
    "rate": RateLimited("slow down", effect=NONE, retry_after=1.5),
    "unavailable": Unavailable("down"),
    "timeout": Timeout("too slow"),
    "odd": RateLimited(None, retry_after=float("nan"), reason="X" * 1000),  # type: ignore[arg-type]
}


@tool(effect="NON_IDEMPOTENT")
async def say_failure(which: str) -> None:
    raise ERRORS[which]


@tool(effect="NON_IDEMPOTENT", result_limit=1000)
async def give(what: str) -> Any:
    """Returns what is no result."""
    endless: list[Any] = []
    endless.append(endless)
    return {
        "nan": float("nan"),
        "hidden_nan": {"a": [None, float("inf")]},
        "bytes": b"x",
        "object": object(),
        "surrogate": "\ud800",
        "endless": endless,
        "much": "x" * 1000,
        "fits": "x" * 998,
    }[what]


@tool(effect="READ")
async def hold_the_loop(seconds: float, then: str) -> str:
    """Blocks: at its end, in the middle, or in a task of its own."""
    if then == "in a task":
        await asyncio.create_task(_hold(seconds))
    else:
        hold(seconds)
    if then in ("waits", "in a task"):
        await GATES.reached("never")
    if then == "raises":
        raise ValueError("after all that")
    return then


async def _hold(seconds: float) -> None:
    hold(seconds)


def hold(seconds: float) -> None:
    GATES.holding = True
    time.sleep(seconds)
    GATES.holding = False
    GATES.open("let go")


@tool(effect="READ")
async def hold_the_lock(seconds: float) -> None:
    """Holds the loop, and the interpreter's lock: nobody else gets to run."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


@tool(effect="READ")
def keep_the_lock(way: str, seconds: float) -> None:
    """A plain function that holds the interpreter's lock, once `begin` is open."""
    GATES.open("ready")
    GATES.wait("begin")
    GATES.open("taken")
    if way == "sleeping":
        ctypes.PyDLL(None).usleep(int(seconds * 1e6))
    else:  # as all code in C does
        next(filter((time.monotonic() + seconds).__lt__, iter(time.monotonic, None)))


@tool(effect="READ")
async def let_the_lock_be_taken() -> None:
    """A short step, in which `keep_the_lock` takes the interpreter's lock."""
    GATES.open("begin")
    GATES.wait("taken")


@tool(effect="READ")
async def hold_the_loop_by(way: str, seconds: float) -> None:
    _hold_by(way, seconds)


def _hold_by(way: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    match way:
        case "sleeping":
            time.sleep(seconds)
        case "many short sleeps":
            while time.monotonic() < end:
                time.sleep(0.0005)
        case "waiting for a lock":
            threading.Event().wait(seconds)
        case "computing":
            while time.monotonic() < end:
                pass
        case _:
            here, there = socket.socketpair()
            with here, there, contextlib.suppress(TimeoutError):
                here.settimeout(seconds)
                here.recv(1)


@tool(effect="READ")
async def flood(n: int, context: ToolContext) -> int:
    for number in range(n):
        context.progress(number / n, f"step {number}")
    context.progress(1.0, "the last")
    return n


@tool(effect="READ")
def flood_on_threads(n: int, context: ToolContext) -> int:
    import threading

    def talk(who: int) -> None:
        for number in range(n):
            context.progress(number / n, f"{who}: {number}")
            context.chunk([who, number])

    threads = [threading.Thread(target=talk, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return n


@tool(effect="READ")
async def odd_progress(context: ToolContext) -> None:
    context.progress(float("nan"), "half a character: \ud800")
    context.progress(-5, "x" * 5000)
    context.progress(7)


@tool(effect="NON_IDEMPOTENT")
async def fork(how: str) -> Any:
    match how:
        case "os":
            if os.fork() == 0:
                os._exit(0)
        case "multiprocessing":
            process = multiprocessing.get_context("fork").Process(target=print)
            process.start()
            process.join()
        case _:
            return subprocess.run(
                [sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=True
            ).stdout
    return None


@tool(effect="NON_IDEMPOTENT")
def fork_on_thread() -> None:
    if os.fork() == 0:
        os._exit(0)
