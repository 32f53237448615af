"""Tools that go for the executor itself."""

import asyncio
from typing import Any

from greenlight_tool import tool
from tests.support.gates import GATES


@tool(effect="READ")
async def power(exponent: int) -> int:
    """A number of so many digits, and one."""
    return 10**exponent


@tool(effect="READ")
async def cancel_all_tasks() -> list[str]:
    """As programs do at their end. Its own tasks are cancelled, too; it goes on, and tells their names."""
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.Event().wait(), name="its own")
        await asyncio.sleep(0)
        tasks = asyncio.all_tasks()
        for task in tasks:
            task.cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return sorted(task.get_name() for task in tasks)
    return []


@tool(effect="READ")
async def cancel_all_tasks_and_wait() -> None:
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.Event().wait()


@tool(effect="READ")
async def wait_in_a_task(gate: str) -> str:
    async with asyncio.TaskGroup() as group:
        group.create_task(GATES.reached(gate))
    return gate


@tool(effect="READ")
def run_a_loop() -> dict[str, bool]:
    """What a loop of its own has left is cancelled at that loop's end: `asyncio.run` asks for all tasks."""
    left: list[asyncio.Task[Any]] = []

    async def leave_a_task() -> bool:
        left.append(asyncio.get_running_loop().create_task(asyncio.Event().wait()))
        return left[0] in asyncio.all_tasks()

    return {"seen": asyncio.run(leave_a_task()), "cancelled": left[0].cancelled()}
