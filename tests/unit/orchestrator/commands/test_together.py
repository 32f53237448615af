"""Commands of another orchestrator that wait for one batch together: judged in order, recorded together, each once."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec
import pytest

from orchestrator_svc.application.add_proposals import Adding, Closing
from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.cancel import CancellingItems
from orchestrator_svc.application.commands.kind import CommandKind, load_nothing, remember
from orchestrator_svc.application.decide import Decisions, DecisionSpec
from orchestrator_svc.application.engine.inbox import Operation
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import BatchWrite, Changes
from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.domain.states import OnInvalid
from orchestrator_svc.ports.commands import SentCommand
from orchestrator_svc.ports.store import Committed
from shared.kernel.tasks import Supervisor
from tests.support.engine_world import spec, story
from tests.support.neighbours import Neighbourhood, two_orchestrators
from tests.support.world import CALLER, World


class Two:
    """`owner` has a batch with a call that runs. `recorded`: how many commands each transaction of it holds."""

    def __init__(self, owner: World, other: World, place: Neighbourhood, batch_id: str) -> None:
        self.owner, self.other, self.place, self.batch_id = owner, other, place, batch_id
        self.recorded: list[int] = []
        told = owner.engine.recorder.on_commit

        def note(group: Sequence[Changes], committed: Committed) -> None:
            self.recorded.append(sum(changes.command is not None for changes in group))
            told(group, committed)

        owner.engine.recorder.on_commit = note

    async def write_down(self, *asked: tuple[str, object]) -> list[SentCommand]:
        """Kinds and arguments; request ids r0, r1, ..."""
        commands = [
            SentCommand("default", self.batch_id, f"r{place}", kind, b"", msgspec.json.encode(of), "user:ann", "nobody")
            for place, (kind, of) in enumerate(asked)
        ]
        await self.other.store.send(commands, 1)
        return commands

    async def look(self) -> None:
        self.owner.commands.look()
        await self.owner.settle()

    async def said(self, commands: Sequence[SentCommand]) -> list[str]:
        """ "done", why not, or "" where it waits."""
        answers = await self.other.store.answers([command.id for command in commands])
        found = [answers.get(command.id) for command in commands]
        return [
            "" if each is None else "done" if each.refusal is None else msgspec.json.decode(each.refusal)["reason"]
            for each in found
        ]

    def add(self, name: str, *after: str) -> tuple[str, object]:
        return "AddProposals", Adding([spec("note", name, *after)], OnInvalid.REFUSE, False)

    def reject(self, name: str) -> tuple[str, object]:
        items = {0: DecisionSpec(f"{self.batch_id}/{name}", Verdict.REJECT)}
        return "DecideProposals", Decisions(items, False)


@pytest.fixture
async def two() -> AsyncGenerator[Two]:
    async with two_orchestrators() as (owner, other, place):
        batch_id = await owner.run(spec("send", "runs"), open=True)
        yield Two(owner, other, place, batch_id)


async def test_those_that_wait_together_are_one_transaction(two: Two) -> None:
    names = [f"k{number}" for number in range(50)]
    await two.owner.add.add(CALLER, two.batch_id, [spec("note", name) for name in names], OnInvalid.REFUSE, False, None)
    await two.owner.settle()
    two.recorded.clear()
    commands = await two.write_down(*map(two.reject, names))
    await two.look()
    assert two.recorded == [50]
    assert await two.said(commands) == ["done"] * 50
    assert [(await two.owner.states(two.batch_id))[name] for name in names] == ["REJECTED"] * 50


async def test_those_that_come_while_one_is_recorded_are_the_next_transaction(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"k{number}" for number in range(50)]
    await two.owner.add.add(CALLER, two.batch_id, [spec("note", name) for name in names], OnInvalid.REFUSE, False, None)
    await two.owner.settle()
    two.recorded.clear()
    all_there, commit = asyncio.Event(), two.owner.store.commit

    async def held(writes: Sequence[BatchWrite]) -> Committed:
        await all_there.wait()
        return await commit(writes)

    monkeypatch.setattr(two.owner.store, "commit", held)
    async with Supervisor() as tasks:
        asked = [
            tasks.start(two.other.decide.decide(CALLER, [decision], False, None), "asks")
            for decision in [DecisionSpec(f"{two.batch_id}/{name}", Verdict.REJECT) for name in names]
        ]
        while len(two.place.held.inbox) < len(names):
            await two.owner.settle()
        all_there.set()
        assert [answer.kind for (answer,) in await asyncio.gather(*asked)] == [None] * len(names)
    assert sum(two.recorded) == len(names)
    assert len(two.recorded) == 2


async def test_each_is_judged_on_what_those_before_it_have_left(two: Two) -> None:
    """Also what looks at the batch before it is its turn in the engine; and a refusal is one of them."""
    cancel = CancellingItems({0: f"{two.batch_id}/b"}, "")
    commands = await two.write_down(
        two.add("a"),
        two.add("b", "a"),
        two.reject("a"),
        ("CancelProposals", cancel),
        ("Juggle", Closing()),
        ("CloseBatch", Closing()),
        two.add("c"),
        two.reject("a"),
    )
    await two.look()
    assert await two.said(commands) == [*["done"] * 4, "OWNER_INCOMPATIBLE", "done", "BATCH_CLOSED", "done"]
    assert (await two.owner.states(two.batch_id)).keys() == {"runs", "a", "b"}
    assert (await story(two.owner, two.batch_id, "b"))[-1] == "proposal_skipped"
    assert not (await two.owner.batch(two.batch_id)).open
    assert len(two.recorded) < 6


@dataclass(frozen=True, slots=True)
class Juggling:
    pass


def juggling(wait: Callable[[Batch], Awaitable[None]]) -> CommandKind[Juggling, None]:
    """A command that changes nothing; judging it takes as long as `wait`."""

    async def handle(caller: Caller, batch: Batch, of: Juggling, key: RequestKey | None) -> Operation[None]:
        await wait(batch)
        return lambda batch, changes: remember(changes, key, {})

    return CommandKind("Juggle", Juggling, handle, load_nothing)


def lose_the_next(two: Two, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The next transaction of the owner is not written, as if another one had the batch; tells when."""
    lost, commit = asyncio.Event(), two.owner.store.commit

    async def losing(writes: Sequence[BatchWrite]) -> Committed:
        if lost.is_set():
            return await commit(writes)
        lost.set()
        return Committed({write.batch.id for write in writes})

    monkeypatch.setattr(two.owner.store, "commit", losing)
    return lost


async def test_none_is_carried_out_without_what_was_lost_before_it(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are judged anew, in order."""
    lost = lose_the_next(two, monkeypatch)

    async def until_forgotten(batch: Batch) -> None:
        await lost.wait()
        while two.owner.live.get(two.batch_id) is batch and not two.recorded:  # noqa: ASYNC110 - that is soon
            await asyncio.sleep(0)

    two.owner.commands.serve(juggling(until_forgotten))
    commands = await two.write_down(two.add("a"), ("Juggle", Juggling()), two.add("b"))
    await two.look()
    assert await two.said(commands) == [""] * 3
    await two.look()
    assert await two.said(commands) == ["done"] * 3
    assert [*await two.owner.states(two.batch_id)] == ["runs", "a", "b"]


async def test_nothing_is_refused_for_what_was_lost_before_it(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    lose_the_next(two, monkeypatch)
    commands = await two.write_down(("CloseBatch", Closing()), two.add("a"))
    await two.look()
    assert await two.said(commands) == ["", ""], "the batch is not closed"
    await two.other.store.withdraw([commands[0].id])
    await two.look()
    assert await two.said(commands) == ["", "done"]


async def test_what_was_done_before_is_not_done_again(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was asked here too, between the look and its turn; or the id was used for something else."""
    received, another = two.owner.store.received, await two.owner.run(spec("send", "runs"), open=True)
    commands = await two.write_down(two.add(""), two.add(""), two.add(""))

    async def late(limit: int) -> list[SentCommand]:
        found = await received(limit)
        for command, batch_id in zip(found, (two.batch_id, another), strict=False):
            key = RequestKey(command.request_id, "AddProposals", b"" if batch_id == two.batch_id else b"other")
            await two.owner.add.add(CALLER, batch_id, [spec("note", "")], OnInvalid.REFUSE, False, key)
        return found

    monkeypatch.setattr(two.owner.store, "received", late)
    await two.look()
    assert await two.said(commands) == ["done", "REQUEST_ID_REUSED", "done"]
    assert [*await two.owner.states(two.batch_id)] == ["runs", "p2", "p3"]


async def test_one_that_is_asked_here_at_the_same_time_is_waited_for(two: Two) -> None:
    judged, go_on = 0, asyncio.Event()

    async def until_told(batch: Batch) -> None:
        nonlocal judged
        judged += 1
        await go_on.wait()

    kind = two.owner.commands.serve(juggling(until_told))
    async with Supervisor() as tasks:
        key = RequestKey("r0", "Juggle", b"")
        here = tasks.start(two.owner.commands.run(kind, CALLER, two.batch_id, Juggling(), key), "asks")
        await two.owner.settle()
        commands = await two.write_down(("Juggle", Juggling()), two.add("a"))
        await two.look()
        go_on.set()
        await here
        await two.owner.settle()
    assert judged == 1
    assert await two.said(commands) == ["done", "done"]


async def test_what_is_still_being_recorded_of_one_whose_caller_has_gone_is_waited_for(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, commit = asyncio.Event(), two.owner.store.commit

    async def held(writes: Sequence[BatchWrite]) -> Committed:
        await go_on.wait()
        return await commit(writes)

    monkeypatch.setattr(two.owner.store, "commit", held)
    more = two.owner.add.add(
        CALLER, two.batch_id, [spec("note", "")], OnInvalid.REFUSE, False, RequestKey("r0", "AddProposals", b"")
    )
    async with Supervisor() as tasks:
        here = tasks.start(more, "asks")
        await two.owner.settle()
        here.cancel()
        await two.owner.settle()
        commands = await two.write_down(two.add(""), two.add(""))
        await two.look()
        go_on.set()
        await two.owner.settle()
    assert await two.said(commands) == ["done", "done"]
    assert [*await two.owner.states(two.batch_id)] == ["runs", "p2", "p3"]
