import asyncio

import pytest

from shared.kernel.tasks import Supervisor


async def test_stop_cancels_what_runs_and_waits_for_it():
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("done")

    async with Supervisor() as supervisor:
        task = supervisor.start(work(), "work")
        await asyncio.sleep(0)
    assert (cleaned, task.cancelled(), task.get_name()) == (["done"], True, "work")


async def test_a_task_that_fails_is_logged_and_told(caplog: pytest.LogCaptureFixture):
    failures: list[tuple[str, str]] = []

    async def work() -> None:
        raise ValueError("broken")

    async with Supervisor(lambda name, error: failures.append((name, str(error)))) as supervisor:
        await asyncio.wait([supervisor.start(work(), "work")])
        await asyncio.sleep(0)
    assert failures == [("work", "broken")]
    assert "work has failed" in caplog.text


async def test_a_task_that_is_done_is_no_longer_kept():
    async def work() -> int:
        return 1

    async with Supervisor() as supervisor:
        assert await supervisor.start(work(), "work") == 1


async def test_a_task_that_somebody_else_cancels_has_failed(caplog: pytest.LogCaptureFixture):
    failures: list[tuple[str, str]] = []
    async with Supervisor(lambda name, error: failures.append((name, str(error)))) as supervisor:
        task = supervisor.start(asyncio.Event().wait(), "work")
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)
    assert failures == [("work", "cancelled, and not by its owner")]
    assert "work has failed" in caplog.text


async def test_a_task_that_its_owner_cancels_has_not(caplog: pytest.LogCaptureFixture):
    failures: list[str] = []
    async with Supervisor(lambda name, error: failures.append(name)) as supervisor:
        ended = supervisor.start(asyncio.Event().wait(), "one")
        supervisor.start(asyncio.Event().wait(), "other")
        await asyncio.sleep(0)
        supervisor.cancel(ended)
        await asyncio.wait([ended])
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (failures, caplog.text) == ([], "")
