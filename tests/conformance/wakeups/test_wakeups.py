"""The contract of wake-ups: to all others, never to oneself; what waits is there once."""

import asyncio

from orchestrator_svc.adapters.wakeups.waiting import MOST
from orchestrator_svc.ports.wakeups import Wake, WakeKind
from tests.conformance.wakeups.conftest import Joining
from tests.support.waking import END, until_end


def moved(batch: str = "b", head: int = 1, tenant: str = "t") -> Wake:
    return Wake(WakeKind.MOVED, tenant, "s", batch, head=head)


async def test_all_others_get_what_is_sent(joining: Joining) -> None:
    one, two, three = [await joining.join(name) for name in ("one", "two", "three")]
    one.send([moved(), END])
    assert await until_end(two) == [moved()]
    assert await until_end(three) == [moved()]


async def test_never_ones_own(joining: Joining) -> None:
    one, two = [await joining.join(name) for name in ("one", "two")]
    one.send([moved("mine")])
    two.send([moved("theirs"), END])
    assert await until_end(one) == [moved("theirs")]


async def test_every_field_comes_as_it_was_sent(joining: Joining) -> None:
    one, two = [await joining.join(name) for name in ("one", "two")]
    sent = [
        Wake(WakeKind.MOVED, "a.b-c_1", 'zwölf "Anführungszeichen"\x00\n', "€" * 100, head=1 << 40),
        Wake(WakeKind.COMMAND, to="two"),
        Wake(WakeKind.ANSWER, to="two"),
        Wake(WakeKind.MISSED),
    ]
    one.send([*sent, END])
    assert set(await until_end(two)) == set(sent)


async def test_commands_and_answers_only_to_whom_they_are_for(joining: Joining) -> None:
    one, two, three = [await joining.join(name) for name in ("one", "two", "three")]
    one.send([Wake(WakeKind.COMMAND, to="two"), Wake(WakeKind.ANSWER, to="three"), END])
    assert await until_end(two) == [Wake(WakeKind.COMMAND, to="two")]
    assert await until_end(three) == [Wake(WakeKind.ANSWER, to="three")]


async def test_what_waits_is_there_once_with_the_highest_head(joining: Joining) -> None:
    one, two = [await joining.join(name) for name in ("one", "two")]
    for head in (3, 9, 7):
        one.send([moved(head=head), moved("c", head), Wake(WakeKind.COMMAND, to="two")])
    one.send([END])
    found: dict[Wake, int] = {}
    for wake in await until_end(two):  # in one piece or in several
        key = wake._replace(head=0)
        found[key] = max(found.get(key, 0), wake.head)
    assert found == {moved(head=0): 9, moved("c", 0): 9, Wake(WakeKind.COMMAND, to="two"): 0}


async def test_many_at_once(joining: Joining) -> None:
    """More than one message holds."""
    one, two = [await joining.join(name) for name in ("one", "two")]
    sent = [moved(f"batch-{number:032}", number + 1) for number in range(2000)]
    one.send([*sent, END])
    assert sorted(await until_end(two)) == sent


async def test_too_many_are_one_that_says_so(joining: Joining) -> None:
    one, two = [await joining.join(name) for name in ("one", "two")]
    one.send([moved(str(number)) for number in range(MOST + 1)])
    assert await two.receive() == [Wake(WakeKind.MISSED)]


async def test_sending_alone_does_nothing_and_waits_for_nobody(joining: Joining) -> None:
    one = await joining.join("one")
    one.send([moved()])
    two = await joining.join("two")
    two.send([moved("later"), END])
    assert await until_end(one) == [moved("later")]


async def test_what_was_sent_before_the_close_goes_out(joining: Joining) -> None:
    one, two = [await joining.join(name) for name in ("one", "two")]
    one.send([Wake(WakeKind.RELEASED)])
    await one.close()
    assert await two.receive() == [Wake(WakeKind.RELEASED)]


async def test_one_that_closed_gets_nothing_and_says_nothing(joining: Joining) -> None:
    one, two, three = [await joining.join(name) for name in ("one", "two", "three")]
    await one.close()
    one.send([moved("too late")])
    two.send([moved(), END])
    assert await until_end(three) == [moved()]
    waiting = asyncio.ensure_future(one.receive())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_a_receiver_that_is_cancelled_loses_nothing(joining: Joining) -> None:
    one, two = [await joining.join(name) for name in ("one", "two")]
    waiting = asyncio.ensure_future(two.receive())
    await asyncio.sleep(0)
    waiting.cancel()
    one.send([moved(), END])
    assert await until_end(two) == [moved()]


async def test_closing_twice_is_closing_once(joining: Joining) -> None:
    one = await joining.join("one")
    await one.close()
    await one.close()
