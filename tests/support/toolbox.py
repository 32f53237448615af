"""Tools that do what tools do, and what they should not."""

import asyncio
import ctypes
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
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


@tool(effect="READ")
async def echo(value: Any) -> Any:
    """Returns what it gets.

    Args:
        value: anything
    """
    GATES.runs.append("echo")
    return value


@tool(effect="READ", version="2.1")
async def add(a: int, b: int = 1) -> int:
    return a + b


@tool(effect="READ", name="add", version="2.10")
async def add_newer(a: int, b: int = 1) -> int:
    return a + b


@tool(effect="READ")
def plain(value: Any) -> Any:
    return value


@tool(effect="READ")
async def count(n: int) -> AsyncIterator[int]:
    for number in range(n):
        yield number


@tool(effect="NON_IDEMPOTENT")
async def write(text: str) -> str:
    GATES.runs.append(text)
    return text


@tool(effect="READ")
async def about(context: ToolContext) -> dict[str, Any]:
    return {
        "tenant": context.tenant,
        "principal": context.principal,
        "session_id": context.session_id,
        "session": dict(context.session),
        "agent": context.agent,
        "batch_id": context.batch_id,
        "proposal_id": context.proposal_id,
        "labels": dict(context.labels),
        "attempt": context.attempt,
        "idempotency_key": context.idempotency_key,
        "deadline": context.deadline.tzname(),
        "remaining": 0 < context.remaining() <= 30,
        "cancelled": context.cancelled,
    }


@tool(effect="READ", timeout=60)
async def wait(gate: str) -> str:
    """Runs until the gate is open."""
    GATES.open(f"{gate} started")
    await GATES.reached(gate)
    return gate


@tool(effect="READ", timeout=60)
def wait_on_thread(gate: str, obey: bool, context: ToolContext) -> str:
    """As `wait`, on a thread; obedient, it stops when it should."""
    GATES.open(f"{gate} started")
    while obey:
        context.raise_if_cancelled()
        time.sleep(0.001)
    GATES.wait(gate)
    return gate


@tool(effect="READ", concurrency=2)
async def few(gate: str) -> str:
    await GATES.reached(gate)
    return gate


@tool(effect="READ", stall_timeout=0.05)
async def silent(gate: str, signs: int, context: ToolContext) -> str:
    for _ in range(signs):
        context.progress()
        await asyncio.sleep(0.02)
    await GATES.reached(gate)
    return gate


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
async def knows(effect: str) -> None:
    """When stopped, it says what it knows."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        GATES.open("stopped")
        raise Permanent("stopped in time", effect=NONE if effect == "NONE" else DONE) from None


@tool(effect="READ")
async def late(gate: str) -> str:
    """Comes to its result while it is being stopped."""
    try:
        await GATES.reached(gate)
    except asyncio.CancelledError:
        return "late"
    return "in time"


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
async def give_number(what: str) -> Any:
    return {"big": 2**70, "float": 0.1 + 0.2, "exact": 2**53 + 1, "small": 5e-324}[what]


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


@tool(effect="READ", timeout=0.3)
async def brief(gate: str) -> str:
    await GATES.reached(gate)
    return gate


@tool(effect="READ")
async def flood(n: int, context: ToolContext) -> int:
    for number in range(n):
        context.progress(number / n, f"step {number}")
    context.progress(1.0, "the last")
    return n


@tool(effect="READ")
async def talk(seconds: float, context: ToolContext) -> None:
    """Reports progress all the time, and lets others run."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        context.progress(1 - left / seconds, "talking")
        await asyncio.sleep(0.001)


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


@tool(effect="READ", result_limit=1000)
async def chunks(what: str, context: ToolContext) -> str:
    match what:
        case "too much":
            for _ in range(100):
                context.chunk("x" * 100)
        case "too much, hidden":
            try:
                for _ in range(100):
                    context.chunk("x" * 100)
            except ToolError:
                raise
            except Exception:
                return "as if nothing had been"
        case "not json":
            context.chunk(object())
        case _:
            context.chunk({"part": 1})
            context.chunk(2)
    return what


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
