"""Commands on their way between orchestrators: carried out once, whoever dies, lets go, or hears nothing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import msgspec
import pytest

from orchestrator_svc.application.add_proposals import Added, Adding
from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.commands import sending
from orchestrator_svc.application.commands.kind import CommandKind, load_nothing
from orchestrator_svc.application.decide import DecisionSpec
from orchestrator_svc.application.engine.inbox import Operation
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.domain.states import OnInvalid
from orchestrator_svc.ports.commands import SentCommand
from shared.kernel.errors import InternalError, InvalidError, PreconditionError, UnavailableError
from shared.kernel.tasks import Supervisor
from tests.support.engine_world import spec, story
from tests.support.neighbours import Neighbourhood
from tests.support.world import CALLER, World


def key(kind: str, payload: bytes = b"p", number: int = 1) -> RequestKey:
    return RequestKey(f"5c0e2f3a-0000-4000-8000-{number:012}", kind, payload)


def reject(batch_id: str, name: str) -> DecisionSpec:
    return DecisionSpec(f"{batch_id}/{name}", Verdict.REJECT)


class Two:
    """`first` has a batch with a call that runs; it may die."""

    def __init__(self, place: Neighbourhood, first: World, second: World, life: AsyncExitStack) -> None:
        self.place, self.first, self.second, self._life = place, first, second, life
        self.batch_id = ""

    async def kill(self) -> None:
        """Nobody is told."""
        await self._life.aclose()

    async def bury(self) -> None:
        """Its lease is over."""
        (lease,) = (await self.second.store.renew()).others
        assert await self.second.store.supersede(lease)


@pytest.fixture
async def two() -> AsyncGenerator[Two]:
    place = Neighbourhood()
    async with place.running(place.world()) as second, AsyncExitStack() as life:
        first = await life.enter_async_context(place.running(place.world()))
        two = Two(place, first, second, life)
        names = [spec("note", name) for name in "abcdef"]
        two.batch_id = await first.run(spec("send", "runs"), *names, open=True)
        yield two


async def test_an_owner_that_died_before_it_read_it(two: Two) -> None:
    await two.kill()
    async with Supervisor() as tasks:
        asked = tasks.start(two.second.decide.decide(CALLER, [reject(two.batch_id, "a")], False, None), "asks")
        await two.second.settle()
        assert two.place.held.inbox
        await two.bury()
        (answer,) = await asked
    assert (answer.kind, answer.state) == (None, 6)
    assert (await story(two.second, two.batch_id, "a")).count("proposal_decided") == 1


async def test_an_owner_that_died_after_it_was_done(two: Two) -> None:
    """It is on record, and who takes the batch does not do it again."""
    two.place.bus.members.clear()
    async with Supervisor() as tasks:
        more = two.second.add.add(CALLER, two.batch_id, [spec("note", "")], OnInvalid.REFUSE, False, None)
        asked = tasks.start(more, "asks")
        await two.second.settle()
        two.first.commands.look()
        await two.first.settle()
        assert len(await two.first.states(two.batch_id)) == 8
        await two.kill()
        await two.bury()
        assert (await asked).first == 8
    assert len(await two.second.states(two.batch_id)) == 8


async def test_an_owner_that_says_nothing(two: Two) -> None:
    await two.kill()
    async with Supervisor() as tasks:
        asked = tasks.start(two.second.add.close(CALLER, two.batch_id, None), "asks")
        await two.second.settle()
        assert two.place.held.inbox
        two.place.clock.advance(20)
        with pytest.raises(UnavailableError, match=r"not known.*has not answered for 15 s") as refused:
            await asked
    assert (refused.value.reason, refused.value.retry_after) == ("OWNER_SILENT", 1.0)
    while two.place.held.inbox:  # nobody carries it out when nobody expects it any more
        await two.second.settle()


async def test_an_owner_that_lets_go(two: Two) -> None:
    """A batch that belongs to nobody by now is taken, and the command with it."""
    two.place.bus.members.clear()
    async with Supervisor() as tasks:
        asked = tasks.start(two.second.resume.resume(CALLER, two.batch_id, "", None), "asks")
        await two.second.settle()
        assert two.place.held.inbox
        await two.first.cancel.batch(CALLER, two.batch_id, "", None)
        await two.first.settle()
        resumed = await asked
    assert (resumed.resumed, resumed.not_resumed) == (7, 0)
    assert two.batch_id in two.second.live


async def test_all_wake_ups_are_lost(two: Two) -> None:
    two.place.bus.members.clear()
    for name in "abc":
        (answer,) = await two.second.decide.decide(CALLER, [reject(two.batch_id, name)], False, None)
        assert answer.kind is None
    assert two.batch_id not in two.second.live


@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize("turns", [0, 5, 10, 20])
async def test_one_request_on_both_at_once_is_done_once(two: Two, turns: int, close: bool) -> None:
    """Also while it is being judged, which takes a while; one that is told first is not told again."""
    more = [spec("note", "")] * 1000

    async def add(world: World, turns: int) -> Added:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await world.add.add(CALLER, two.batch_id, more, OnInvalid.REFUSE, close, key("AddProposals"))

    added = await asyncio.gather(add(two.second, 0), add(two.first, turns), add(two.second, 0))
    assert {(each.first, each.count) for each in added} == {(8, 1000)}
    assert len(await two.second.states(two.batch_id)) == 1007


async def test_one_that_got_lost_is_sent_again(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else, who had asked the same and was refused, has withdrawn it."""
    monkeypatch.setattr(sending, "SEND_AGAIN", 1)
    two.place.bus.members.clear()
    async with Supervisor() as tasks:
        asked = tasks.start(two.second.decide.decide(CALLER, [reject(two.batch_id, "a")], False, None), "asks")
        await two.second.settle()
        await two.first.store.withdraw([*two.place.held.inbox])
        (answer,) = await asked
    assert answer.kind is None


async def test_one_request_on_both_at_once_for_a_batch_of_nobody(two: Two) -> None:
    """The one that comes second sees a batch that is closed, by the same request."""
    for number in range(10):
        batch_id = await two.first.run(spec("note", "a"), open=True)
        more = [spec("note", "b")]
        added = await asyncio.gather(
            *[
                world.add.add(CALLER, batch_id, more, OnInvalid.REFUSE, True, key("AddProposals", number=number))
                for world in (two.second, two.first)
            ]
        )
        assert added[0] == added[1]
        assert await two.first.states(batch_id) == {"a": "PROPOSED", "b": "PROPOSED"}


async def test_a_request_is_repeated_on_the_other(two: Two) -> None:
    asked = [reject(two.batch_id, "a"), reject(two.batch_id, "nobody")]
    there = await two.second.decide.decide(CALLER, asked, False, key("DecideProposals"))
    assert await two.first.decide.decide(CALLER, asked, False, key("DecideProposals")) == there
    assert await two.second.decide.decide(CALLER, asked, False, key("DecideProposals")) == there
    with pytest.raises(InvalidError, match="REQUEST_ID_REUSED"):
        await two.second.decide.decide(CALLER, asked, False, key("DecideProposals", b"other"))
    with pytest.raises(InvalidError, match="REQUEST_ID_REUSED"):
        await two.second.add.close(CALLER, two.batch_id, key("CloseBatch"))


async def test_a_request_over_batches_of_both_on_both_at_once(two: Two) -> None:
    """Neither waits for the other to be done with it."""
    other = await two.second.run(spec("send", "runs"), spec("note", "a"))
    asked = [reject(two.batch_id, "a"), reject(other, "a")]
    answers = await asyncio.gather(
        *[
            world.decide.decide(CALLER, asked, False, key("DecideProposals"))
            for world in (two.first, two.second, two.first)
        ]
    )
    assert answers[0] == answers[1] == answers[2]
    assert [answer.kind for answer in answers[0]] == [None, None]


async def test_a_batch_of_nobody_goes_to_and_fro(two: Two) -> None:
    names = [f"n{number}" for number in range(20)]
    batch_id = await two.first.run(*[spec("note", name) for name in names], spec("note", "last"))
    worlds = [two.first, two.second] * 10
    for name, world in zip(names[:10], worlds, strict=False):
        (answer,) = await world.decide.decide(CALLER, [reject(batch_id, name)], False, None)
        assert answer.kind is None
    answers = await asyncio.gather(
        *[
            world.decide.decide(CALLER, [reject(batch_id, name)], False, None)
            for name, world in zip(names[10:], worlds, strict=False)
        ]
    )
    assert [answer.kind for (answer,) in answers] == [None] * 10
    states = await two.first.states(batch_id)
    assert states.pop("last") == "PROPOSED"
    assert set(states.values()) == {"REJECTED"}


async def test_they_are_carried_out_in_order(two: Two) -> None:
    for number in range(9):
        arguments = msgspec.json.encode(Adding([spec("note", f"k{number}")], OnInvalid.REFUSE, number == 8))
        sent = SentCommand("default", two.batch_id, f"r{number}", "AddProposals", b"", arguments, "user:ann", "nobody")
        await two.second.store.send([sent], number)
    two.first.commands.look()
    while await two.first.store.received(1):
        await two.first.settle()
    assert [*await two.first.states(two.batch_id)][7:] == [f"k{number}" for number in range(9)]


async def test_many_at_once_and_none_is_lost(two: Two) -> None:
    batches = [await two.first.run(spec("send", "runs"), open=True) for _ in range(40)]
    asked = [
        two.second.add.add(CALLER, batch_id, [spec("note", f"k{number}")], OnInvalid.REFUSE, False, None)
        for number in range(5)
        for batch_id in batches
    ]
    await asyncio.gather(*asked)
    for batch_id in batches:
        assert sorted(await two.first.states(batch_id), reverse=True) == ["runs", "k4", "k3", "k2", "k1", "k0"]
    assert not await two.first.store.received(1)


async def test_what_the_owner_does_not_know(two: Two) -> None:
    sent = SentCommand("default", two.batch_id, "r1", "Juggle", b"", b"{}", "user:ann", "nobody")
    other = sent._replace(request_id="r2", kind="CloseBatch", arguments=b'{"gently":true}')
    third = other._replace(request_id="r3", arguments=b"no JSON")
    for command in (sent, other, third):
        await two.second.store.send([command], 0)
        two.first.commands.look()
        await two.first.settle()
        answer = (await two.second.store.answers([command.id]))[command.id]
        assert answer.refusal is not None
        assert msgspec.json.decode(answer.refusal)["reason"] == "OWNER_INCOMPATIBLE"
    assert (await two.first.batch(two.batch_id)).open


@dataclass(frozen=True, slots=True)
class Juggling:
    pass


async def test_a_command_that_comes_back_is_judged_once(two: Two) -> None:
    """By who waits for it; what was refused to that one is not done a moment later."""
    judged = 0

    async def handle(caller: Caller, batch: Batch, of: Juggling, key: RequestKey | None) -> Operation[None]:
        nonlocal judged
        judged += 1
        if judged == 1:
            two.second.commands.look()
            await asyncio.sleep(1)  # longer than until the next look
            raise PreconditionError("NOT_NOW", "not now")
        return lambda batch, changes: None

    kind = two.second.commands.serve(CommandKind("Juggle", Juggling, handle, load_nothing))
    await two.kill()
    async with Supervisor() as tasks:
        asked = tasks.start(two.second.commands.run(kind, CALLER, two.batch_id, Juggling(), None), "asks")
        await two.second.settle()
        await two.bury()
        two.second.clock.advance(1)
        two.second.owner.look()
        while two.batch_id not in two.second.live:
            await two.second.settle()
        with pytest.raises(PreconditionError):
            await asked
        two.second.commands.look()
        await two.second.settle()
    assert judged == 1


async def test_a_fault_in_a_command_is_told_and_the_next_one_works(two: Two, caplog: pytest.LogCaptureFixture) -> None:
    async def handle(caller: Caller, batch: Batch, of: Juggling, key: RequestKey | None) -> Operation[None]:
        raise ZeroDivisionError

    kinds = [
        world.commands.serve(CommandKind("Juggle", Juggling, handle, load_nothing)) for world in (two.first, two.second)
    ]
    with pytest.raises(InternalError, match="internal error"):
        await two.second.commands.run(kinds[1], CALLER, two.batch_id, Juggling(), None)
    assert "ZeroDivisionError" in caplog.text
    await two.second.add.close(CALLER, two.batch_id, None)
    assert not (await two.first.batch(two.batch_id)).open
