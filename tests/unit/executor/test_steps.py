import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from executor_svc.application.steps import timed
from tests.support.clock import ManualClock


def run_on(clock: ManualClock, stood: float = 0.0, waited: float = 0.0) -> Any:
    standstill = SimpleNamespace(total=0.0, since=lambda total: stood)
    lock_wait = SimpleNamespace(waited=lambda: waited)
    means = SimpleNamespace(clock=clock, block_limit=0.5, standstill=standstill, lock_wait=lock_wait)
    return SimpleNamespace(means=means, holds_loop=False)


async def test_results_errors_and_cancellation_pass_through():
    run = run_on(ManualClock())

    async def give() -> int:
        await asyncio.sleep(0)
        return 5

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    async def hang(stopped: list[bool]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            stopped.append(True)

    assert await timed(give(), run) == 5
    with pytest.raises(ValueError, match="broken"):
        await timed(fail(), run)
    stopped: list[bool] = []

    async def work() -> None:
        await timed(hang(stopped), run)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped == [True]
    assert not run.holds_loop


async def test_an_error_caught_within_is_not_seen_without():
    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "went on"

    async def work() -> str:
        return await timed(stubborn(), run_on(ManualClock()))

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "went on"


@pytest.mark.parametrize("where", ["before", "between", "after", "raises"])
async def test_one_long_step_is_seen_wherever_it_is(where: str):
    clock = ManualClock()
    run = run_on(clock)

    async def work() -> None:
        if where == "before":
            clock.advance(1)
        await asyncio.sleep(0)
        if where == "between":
            clock.advance(1)
        await asyncio.sleep(0)
        if where == "after":
            clock.advance(1)
        if where == "raises":
            clock.advance(1)
            raise ValueError

    with contextlib.suppress(ValueError):
        await timed(work(), run)
    assert run.holds_loop


@pytest.mark.parametrize(("own", "holds"), [(0.1, False), (0.6, True)])
async def test_time_in_which_the_process_stood_still_is_not_its_own(own: float, holds: bool):
    clock = ManualClock()
    run = run_on(clock, stood=60.0)

    async def work() -> None:
        clock.advance(60.0 + own)

    await timed(work(), run)
    assert run.holds_loop is holds


@pytest.mark.parametrize(("own", "holds"), [(0.1, False), (0.6, True)])
async def test_time_in_which_it_waited_for_the_interpreters_lock_is_not_its_own(own: float, holds: bool):
    clock = ManualClock()
    run = run_on(clock, waited=6.0)

    async def work() -> None:
        clock.advance(6.0 + own)

    await timed(work(), run)
    assert run.holds_loop is holds


async def test_waiting_long_is_not_holding():
    clock = ManualClock()
    run = run_on(clock)
    gate = asyncio.Event()

    async def work() -> None:
        clock.advance(0.4)
        await gate.wait()
        clock.advance(0.4)

    async def awaiting() -> None:
        await timed(work(), run)

    task = asyncio.ensure_future(awaiting())
    await asyncio.sleep(0)
    clock.advance(100)
    gate.set()
    await task
    assert not run.holds_loop


async def test_closed_it_closes_what_it_awaits():
    closed: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def awaiting() -> None:
        await timed(work(), run_on(ManualClock()))

    coroutine = awaiting()
    coroutine.send(None)
    coroutine.close()
    assert closed == [True]
