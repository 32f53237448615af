"""A request that two orchestrators get at once: submissions, sessions and turns, which no owner puts in order."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from orchestrator_svc.application.add_proposals import Closing
from orchestrator_svc.application.caller import RequestKey
from orchestrator_svc.application.decide import DecisionSpec
from orchestrator_svc.application.items import ItemAnswer
from orchestrator_svc.application.sessions import SessionContexts, Sessions, SessionUpdate
from orchestrator_svc.application.soft_confirm import SoftConfirmSpec
from orchestrator_svc.application.submit import BatchSpec
from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.ports.views import BatchFilter
from shared.kernel.errors import ConflictError
from tests.support.engine_world import ok, spec, story
from tests.support.neighbours import Neighbourhood, two_orchestrators
from tests.support.world import CALLER, World


def key(kind: str, number: int) -> RequestKey:
    return RequestKey(f"5c0e2f3a-0000-4000-8000-{number:012}", kind, b"p")


@pytest.fixture(params=range(10))
async def pair(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[World, World]]:
    async with two_orchestrators(request.param) as (first, second, _):
        yield first, second


@pytest.mark.parametrize("size", [1, 1000])
async def test_a_submission_makes_one_batch(pair: tuple[World, World], size: int) -> None:
    """Also while the one that is first still writes it in parts."""
    submission = BatchSpec(proposals=[spec("note", f"k{number}") for number in range(size)])
    twins = await asyncio.gather(
        *[world.submit.submit(CALLER, submission, key("SubmitBatch", 1)) for world in (*pair, *pair)]
    )
    assert len({twin.batch_id for twin in twins}) == 1
    assert sum(not twin.earlier for twin in twins) == 1
    page = await pair[0].store.list_batches("default", BatchFilter(), None, 10)
    assert [batch.id for batch in page.batches] == [twins[0].batch_id]


async def test_a_turn_decides_once(pair: tuple[World, World]) -> None:
    """Though more is proposed meanwhile, the two confirm the same."""
    for number in range(5):
        session = f"s{number}"
        batches = [await world.run(spec("note", "a"), spec("note", "b"), session_id=session) for world in pair]
        turn = SoftConfirmSpec(session, everything=True, objections={f"{batches[0]}/b": "no"})
        (told, again), _ = await asyncio.gather(
            asyncio.gather(*[world.soft.confirm(CALLER, turn, key("SoftConfirm", number)) for world in pair]),
            pair[0].run(spec("note", "late"), session_id=session),
        )
        assert told == again
        assert (told.objected, told.not_pending) == ([f"{batches[0]}/b"], [])
        assert len(told.confirmed) in (3, 4)


@pytest.mark.parametrize("seed", range(10))
async def test_an_id_that_is_used_for_two_requests_is_the_firsts(seed: int) -> None:
    """Whichever is first; the other one is not told what the first was told."""
    place = Neighbourhood(seed)
    async with (
        place.running(place.world()) as owner,
        place.running(place.world()) as first,
        place.running(place.world()) as second,
    ):
        for number, (one, other) in enumerate(((first, second), (owner, first), (first, owner))):
            batch_id = await owner.run(spec("send", "runs"), spec("pay", "p"), spec("pay", "q"))
            asked, foreign = key("DecideProposals", number), key("CancelProposals", number)
            changed = RequestKey(asked.request_id, asked.kind, b"q")
            told = await asyncio.gather(
                one.decide.decide(CALLER, [DecisionSpec(f"{batch_id}/p", Verdict.APPROVE)], False, asked),
                other.cancel.proposals(CALLER, [f"{batch_id}/q"], "", foreign),
                other.decide.decide(CALLER, [DecisionSpec(f"{batch_id}/p", Verdict.REJECT)], False, changed),
                return_exceptions=True,
            )
            refused = [answer for answer in told if isinstance(answer, BaseException)]
            assert [getattr(error, "reason", error) for error in refused] == ["REQUEST_ID_REUSED"] * 2


class Held:
    """Each of two orchestrators has a batch with a call that runs: requests are about both."""

    def __init__(self, place: Neighbourhood, worlds: tuple[World, World], batches: list[str]) -> None:
        self.place, self.worlds, self.batches = place, worlds, batches

    async def decide(self, asker: int, places: Sequence[int], name: str, asked: RequestKey) -> list[ItemAnswer]:
        """Rejects it in those of the batches."""
        decisions = [DecisionSpec(f"{self.batches[place]}/{name}", Verdict.REJECT) for place in places]
        return await self.worlds[asker].decide.decide(CALLER, decisions, False, asked)

    async def decided(self, name: str) -> list[int]:
        """How often, in each batch."""
        stories = [await story(self.worlds[0], batch_id, name) for batch_id in self.batches]
        return [told.count("proposal_decided") for told in stories]

    def epochs(self) -> list[int]:
        """How often each has been taken up."""
        return [kept.epoch for kept in self.place.held.batches.values()]

    async def check_that_it_runs_on(self) -> None:
        """What runs was sent once, and its outcome counts."""
        for world, batch_id in zip(self.worlds, self.batches, strict=True):
            assert [call.id for call in self.place.replica(world).received] == [f"{batch_id}/runs/1"]
            self.place.replica(world).end(f"{batch_id}/runs/1", ok())
            while (await world.states(batch_id))["runs"] == "RUNNING":
                await world.settle()
            assert (await world.states(batch_id))["runs"] == "SUCCEEDED"


@asynccontextmanager
async def held(seed: int) -> AsyncGenerator[Held]:
    async with two_orchestrators(seed) as (first, second, place):
        names = [spec("note", name) for name in "abcdef"]
        batches = [await world.run(spec("send", "runs"), *names, open=True) for world in (first, second)]
        yield Held(place, (first, second), batches)


@pytest.mark.parametrize("seed", range(10))
async def test_one_about_batches_of_both_is_done_once(seed: int) -> None:
    """Neither batch is taken up anew for it."""
    async with held(seed) as both:
        epochs = both.epochs()
        for number, name in enumerate("abcdef"):
            asked = key("DecideProposals", number)
            told = await asyncio.gather(*[both.decide(asker, places, name, asked) for asker, places in TWINS])
            assert told[0] == told[1] == told[2]
            assert [answer.kind for answer in told[0]] == [None, None]
            assert await both.decided(name) == [1, 1]
        assert both.epochs() == epochs
        await both.check_that_it_runs_on()


TWINS = ((0, (0, 1)), (1, (0, 1)), (0, (0, 1)))
RIVALS = [((0, (0,)), (1, (1,))), ((0, (1,)), (1, (0,))), ((0, (0, 1)), (1, (1,))), ((0, (0, 1)), (1, (1, 0)))]
"""Who asks, and about which of the batches."""


@pytest.mark.parametrize("rivals", RIVALS)
@pytest.mark.parametrize("seed", range(5))
async def test_of_two_about_different_batches_one_is_done(
    seed: int, rivals: tuple[tuple[int, Sequence[int]], tuple[int, Sequence[int]]]
) -> None:
    """Though no batch sees both of them."""
    async with held(seed) as both:
        for number, name in enumerate("abcdef"):
            asked = key("DecideProposals", number)
            keys = (asked, RequestKey(asked.request_id, asked.kind, b"q"))
            told = await asyncio.gather(
                *[both.decide(asker, places, name, one) for (asker, places), one in zip(rivals, keys, strict=True)],
                return_exceptions=True,
            )
            refused = [isinstance(answer, BaseException) for answer in told]
            assert [getattr(answer, "reason", "") for answer in told if isinstance(answer, BaseException)] == [
                "REQUEST_ID_REUSED"
            ]
            done = rivals[refused.index(False)][1]
            assert await both.decided(name) == [int(place in done) for place in (0, 1)]
        await both.check_that_it_runs_on()


async def test_one_that_was_carried_out_since_it_was_looked_for_gets_its_answer() -> None:
    """However that came about: the store does not take it twice, and the batch goes on."""
    async with held(0) as both:
        asked, batch_id = key("CloseBatch", 1), both.batches[0]
        await both.worlds[1].add.close(CALLER, batch_id, asked)
        first = both.worlds[0].commands
        await first.carry_out(first.kinds["CloseBatch"], CALLER, batch_id, Closing(), asked, None)
        assert (await story(both.worlds[0], batch_id)).count("batch_closed") == 1
        await both.check_that_it_runs_on()


def sessions(world: World) -> Sessions:
    return Sessions(world.store, SessionContexts(world.store, shared=True), world.requests, world.ids, world.clock)


@pytest.mark.parametrize("name", ["", "s"])
async def test_a_session_is_made_once(pair: tuple[World, World], name: str) -> None:
    """None is left that nobody knows of."""
    update = SessionUpdate(title="talk")
    made = await asyncio.gather(
        *[sessions(world).create(CALLER, name, update, key("CreateSession", 1)) for world in pair]
    )
    assert made[0] == made[1]
    assert await sessions(pair[0]).list("default", None, 10) == [made[0]]


async def test_a_session_that_two_requests_name_is_the_firsts(pair: tuple[World, World]) -> None:
    for number, keys in enumerate(((None, None), (key("CreateSession", 1), key("CreateSession", 2)))):
        made = await asyncio.gather(
            *[
                sessions(world).create(CALLER, f"s{number}", SessionUpdate(), each)
                for world, each in zip(pair, keys, strict=True)
            ],
            return_exceptions=True,
        )
        assert [getattr(one, "reason", "") for one in made if isinstance(one, BaseException)] == ["SESSION_EXISTS"]
    again = [sessions(pair[0]).create(CALLER, "s1", SessionUpdate(), key("CreateSession", n)) for n in (1, 2)]
    told = await asyncio.gather(*again, return_exceptions=True)
    assert sorted(getattr(one, "reason", "") for one in told) == ["", "SESSION_EXISTS"], "as the first time"


async def test_an_update_of_a_session_is_no_conflict_with_itself(pair: tuple[World, World]) -> None:
    await sessions(pair[0]).create(CALLER, "s", SessionUpdate(title="talk"), None)
    update = SessionUpdate(title="more", revision=1)
    await asyncio.gather(*[sessions(world).update(CALLER, "s", update, key("UpdateSession", 1)) for world in pair])
    with pytest.raises(ConflictError):
        await sessions(pair[0]).update(CALLER, "s", update, key("UpdateSession", 2))


async def test_an_update_is_made_once_though_another_comes_in_between(pair: tuple[World, World]) -> None:
    await sessions(pair[0]).create(CALLER, "s", SessionUpdate(title="talk"), None)
    first, second = SessionUpdate(title="first"), SessionUpdate(title="second")
    asked = key("UpdateSession", 1)
    await sessions(pair[0]).update(CALLER, "s", first, asked)
    await sessions(pair[1]).update(CALLER, "s", second, None)
    found, _ = await sessions(pair[1]).update(CALLER, "s", first, asked)
    assert (found.title, found.revision) == ("second", 3)


async def test_the_context_that_another_has_changed_is_the_batches(pair: tuple[World, World]) -> None:
    here, there = sessions(pair[0]), SessionContexts(pair[1].store, shared=True)
    await here.create(CALLER, "s", SessionUpdate(context='{"desk":"bonds"}'), None)
    assert await there.get("default", "s") == '{"desk":"bonds"}'
    await here.update(CALLER, "s", SessionUpdate(context='{"desk":"shares"}'), None)
    assert await there.get("default", "s") == '{"desk":"shares"}'
