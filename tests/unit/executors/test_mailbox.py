import asyncio

from orchestrator_svc.adapters.executor.mailbox import CROWDED, Mailbox
from orchestrator_svc.ports.executor import CapacityChanged, Started


async def test_everything_since_the_last_time_in_order():
    mailbox = Mailbox()
    mailbox.post(Started("a", 1))
    mailbox.post_all([Started("b", 2)])
    mailbox.post_capacity()
    mailbox.post_capacity()
    assert await mailbox.take() == [Started("a", 1), Started("b", 2), CapacityChanged()]
    mailbox.post(Started("c", 3))
    assert await mailbox.take() == [Started("c", 3)]


async def test_it_waits_for_the_first_and_a_cancelled_wait_loses_nothing():
    mailbox = Mailbox()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(mailbox.take())
        await asyncio.sleep(0)
        mailbox.post_all([])
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
    mailbox.post(Started("a", 1))
    assert await mailbox.take() == [Started("a", 1)]


async def test_who_fills_it_waits_while_it_is_crowded():
    mailbox = Mailbox()
    await mailbox.room()
    mailbox.post_all(Started(str(number), 0) for number in range(CROWDED))
    async with asyncio.TaskGroup() as tasks:
        filling = tasks.create_task(mailbox.room())
        await asyncio.sleep(0)
        assert not filling.done()
        assert len(await mailbox.take()) == CROWDED
