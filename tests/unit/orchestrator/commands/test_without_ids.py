"""Requests without an id, where several orchestrators share a store: done once, and remembered only on their way."""

import asyncio

import pytest

from orchestrator_svc.application.decide import DecisionSpec
from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.domain.states import OnInvalid
from tests.support.engine_world import spec
from tests.support.neighbours import two_orchestrators
from tests.support.world import CALLER, World


async def reject(world: World, batch_id: str, name: str) -> None:
    decision = DecisionSpec(f"{batch_id}/{name}", Verdict.REJECT)
    (answer,) = await world.decide.decide(CALLER, [decision], False, None)
    assert answer.kind is None


async def test_where_the_batch_is_nothing_is_remembered() -> None:
    """Nobody can ask again, and what is not recorded was not done."""
    async with two_orchestrators() as (first, second, place):
        for running in ("note", "send"):  # a batch of nobody, and one that is the first's
            batch_id = await first.run(spec(running, "x"), spec("note", "a"), open=True)
            await reject(first, batch_id, "a")
            await first.add.add(CALLER, batch_id, [spec("note", "")], OnInvalid.REFUSE, False, None)
        assert place.held.requests == {}
        await second.add.close(CALLER, batch_id, None)
        assert [request.kind for request, _ in place.held.requests.values()] == ["CloseBatch"]


@pytest.mark.parametrize("seed", range(10))
async def test_each_is_done_once_however_the_batch_changes_hands(seed: int) -> None:
    async with two_orchestrators(seed) as worlds:
        first, second, _ = worlds
        batch_id = await first.run(spec("note", "x"), open=True)
        for _ in range(5):
            added = await asyncio.gather(
                *[
                    world.add.add(CALLER, batch_id, [spec("note", "")], OnInvalid.REFUSE, False, None)
                    for world in (first, second, first, second)
                ]
            )
            assert len({each.first for each in added}) == 4
        assert len(await first.states(batch_id)) == 21
