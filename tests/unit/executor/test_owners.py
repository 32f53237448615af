"""A call that runs is the latest owner's of its batch: who had the batch before neither gets it, nor stops it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from executor_svc.application import owners
from executor_svc.application.outbox import AttachState
from executor_svc.application.owners import Owners
from executor_svc.application.run import Run
from executor_svc.domain.call import Call
from tests.support.held_journal import ORIGIN
from tests.support.two_owners import NEW, OLD, Pair, not_got_back, not_shared, not_stopped, outcomes, two_owners


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with two_owners() as pair:
        yield pair


async def test_who_had_it_before_does_not_get_it_back(pair: Pair) -> None:
    await not_got_back(pair)


async def test_nor_another_one_of_the_batch(pair: Pair) -> None:
    """Though nobody has asked for that one yet: the batch is another's."""
    pair.attach(pair.later, "batch/a/1", NEW)
    assert pair.attach(pair.earlier, "batch/b/1", OLD) is AttachState.CANNOT_SAY
    assert pair.attach(pair.later, "batch/b/1", NEW) is AttachState.RUNNING
    await pair.ended()
    assert outcomes(pair.later) == {"batch/a/1": b'"done"', "batch/b/1": b'"done"'}


async def test_nor_does_it_stop_any(pair: Pair) -> None:
    await not_stopped(pair)


async def test_sent_once_more_it_is_told_whose_it_is(pair: Pair) -> None:
    await not_shared(pair)


async def test_a_later_owner_that_sends_it_once_more_is_heard_of(pair: Pair) -> None:
    pair.send(pair.later, "a", NEW)
    assert pair.attach(pair.earlier, "batch/b/1", OLD) is AttachState.CANNOT_SAY
    await pair.ended()
    assert outcomes(pair.later) == {"batch/a/1": b'"done"'}


@pytest.mark.parametrize("epoch", [0, NEW])
async def test_the_same_owner_or_who_says_none_has_it_as_before(pair: Pair, epoch: int) -> None:
    pair.attach(pair.later, "batch/a/1", NEW)
    assert pair.attach(pair.earlier, "batch/a/1", epoch) is AttachState.RUNNING
    pair.bench.executor.cancel("batch/b/1", epoch)
    await pair.ended()
    assert outcomes(pair.earlier) == {"batch/a/1": b'"done"', "batch/b/1": None}


async def test_how_it_ended_is_told_to_whoever_asks(pair: Pair) -> None:
    """It is kept until it is acknowledged: nobody loses it by that."""
    pair.attach(pair.later, "batch/a/1", NEW)
    await pair.ended()
    assert pair.attach(pair.earlier, "batch/a/1", OLD) is AttachState.ENDED


async def test_batches_of_which_nothing_runs_are_forgotten(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "FEW", 2)
    running: dict[str, Run] = {}
    heard = Owners(running)
    for number in range(10):
        call = Call("", replace(ORIGIN, batch_id=str(number), epoch=OLD), "", "", "", "", "", 1, "", None, b"")
        run = object.__new__(Run)
        run.call = call
        if number == 0:
            running["first"] = run
        assert heard.admits(run, NEW)
    assert len(heard) <= 3
    assert not heard.admits(running["first"], OLD)
