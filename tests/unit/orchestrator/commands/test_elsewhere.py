"""Every command for a batch of another orchestrator: the same answers and errors as of the one that has it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from orchestrator_svc.application.caller import RequestKey
from orchestrator_svc.application.decide import DecisionSpec
from orchestrator_svc.application.soft_confirm import SoftConfirmSpec
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.domain.proposal import ProposalSpec, ProposalState, Verdict
from orchestrator_svc.domain.states import OnInvalid, Resolution
from orchestrator_svc.domain.tool import FailureClass, KnownEffect
from orchestrator_svc.ports.store import Committed
from shared.kernel.errors import GreenlightError
from shared.kernel.tasks import Supervisor
from tests.support.engine_world import failed, ok, spec, story
from tests.support.neighbours import Neighbourhood, two_orchestrators
from tests.support.world import CALLER, World


def key(kind: str, number: int = 1) -> RequestKey:
    return RequestKey(f"5c0e2f3a-0000-4000-8000-{number:012}", kind, b"p")


async def busy(owner: World, *specs: ProposalSpec, **options: Any) -> str:
    """A batch with a call that runs: its owner keeps it."""
    batch_id = await owner.run(spec("send", "running"), *specs, **options)
    assert batch_id in owner.live
    return batch_id


class Story:
    """What one orchestrator asks of a batch that `owner` has, and what it is told: answers, and errors, without ids."""

    def __init__(self, asker: World, owner: World, batch_id: str) -> None:
        self.asker, self.owner, self.batch_id = asker, owner, batch_id
        self.told: list[str] = []

    def ids(self, *keys: str) -> list[str]:
        return [f"{self.batch_id}/{each}" for each in keys]

    async def ask(self, question: Awaitable[Any]) -> None:
        try:
            answer = await question
        except GreenlightError as error:
            answer = (type(error), error.reason, error.message, error.violations, error.metadata, error.retry_after)
        self.told.append(repr(answer).replace(self.batch_id, "BATCH"))
        await self.owner.settle()


async def decisions(story: Story) -> None:
    ids, decide = story.ids("note", "pay", "other"), story.asker.decide.decide
    await story.ask(decide(CALLER, [DecisionSpec(ids[1], Verdict.APPROVE)], False, None))
    edited = DecisionSpec(ids[0], Verdict.APPROVE, edited='{"a": 7}')
    await story.ask(decide(CALLER, [edited, DecisionSpec(ids[2], Verdict.APPROVE)], True, None))
    await story.ask(decide(CALLER, [edited, DecisionSpec(f"{story.batch_id}/nobody", Verdict.REJECT)], False, None))
    await story.ask(decide(CALLER, [DecisionSpec(ids[1], Verdict.REJECT, "too dear")], True, None))
    await story.ask(decide(CALLER, [DecisionSpec(ids[1], Verdict.APPROVE, digest="sha256:0")], False, None))


async def cancels(story: Story) -> None:
    await story.ask(story.asker.cancel.proposals(CALLER, story.ids("note", "nobody"), "enough", None))
    await story.ask(story.asker.cancel.proposals(CALLER, story.ids("note"), "enough", None))
    await story.ask(story.asker.cancel.batch(CALLER, story.batch_id, "x" * 5000, None))
    await story.ask(story.asker.cancel.batch(CALLER, story.batch_id, "enough", None))


async def growth(story: Story) -> None:
    add, batch_id = story.asker.add, story.batch_id
    await story.ask(add.add(CALLER, batch_id, [], OnInvalid.REFUSE, False, None))
    more = [spec("read", "more"), spec("note", "", "more", arguments='{"$literal": "ä"}')]
    await story.ask(add.add(CALLER, batch_id, [spec("nonsense")], OnInvalid.REFUSE, False, None))
    await story.ask(add.add(CALLER, batch_id, [spec("nonsense")], OnInvalid.FAIL_CALL, False, None))
    await story.ask(add.add(CALLER, batch_id, more, OnInvalid.REFUSE, False, None))
    await story.ask(add.close(CALLER, batch_id, None))
    await story.ask(add.add(CALLER, batch_id, more, OnInvalid.REFUSE, False, None))


async def repairs(story: Story) -> None:
    asker, (broken, unknown) = story.asker, story.ids("write", "running")
    await story.ask(asker.retry.retry(CALLER, [broken, unknown], "", [], "again", None))
    await story.ask(asker.retry.retry(CALLER, [], story.batch_id, ["agent"], "again", None))
    await story.ask(asker.resolve.resolve(CALLER, broken, Resolution.FAILED, "", "looked", None, None))
    await story.ask(asker.resolve.resolve(CALLER, unknown, Resolution.FAILED, "", "looked", 99, None))
    await story.ask(asker.resolve.resolve(CALLER, unknown, Resolution.SUCCEEDED, '{"b": 2}', "looked", None, None))
    await story.ask(asker.resolve.resolve(CALLER, f"{story.batch_id}/none", Resolution.FAILED, "", "x", None, None))
    await story.ask(asker.resume.resume(CALLER, story.batch_id, "go on", None))


async def turn(story: Story) -> None:
    session = (await story.asker.batch(story.batch_id)).session_id
    spec = SoftConfirmSpec(session, everything=True, objections={story.ids("note")[0]: "not this one"})
    await story.ask(story.asker.soft.confirm(CALLER, spec, None))
    await story.ask(story.asker.soft.confirm(CALLER, SoftConfirmSpec(session, everything=True), None))


@pytest.mark.parametrize("asks", [decisions, cancels, growth, repairs, turn], ids=lambda each: each.__name__)
async def test_the_same_is_told_on_either(asks: Callable[[Story], Awaitable[None]]) -> None:
    async with two_orchestrators() as (first, second, place):
        told: list[list[str]] = []
        events: list[list[str]] = []
        for asker in (first, second):
            batch_id = await prepared(first, place, asks)
            story_of_it = Story(asker, first, batch_id)
            await asks(story_of_it)
            assert batch_id not in second.live, "it never left its owner"
            told.append(story_of_it.told)
            events.append(await story(first, batch_id))
        assert told[1] == told[0]
        assert events[1] == events[0]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["owner", "another"])
async def test_a_call_that_was_not_sent_yet_is_told_to_be_cancelled_on_either(
    elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_orchestrators() as (first, second, place), Supervisor() as tasks:
        batch_id = await first.run(spec("read", "a"), spec("send", "b", "a"))
        go_on, commit = asyncio.Event(), first.store.commit

        async def held(writes: Sequence[BatchWrite]) -> Committed:
            await go_on.wait()
            return await commit(writes)

        monkeypatch.setattr(first.store, "commit", held)
        place.replica(first).end(f"{batch_id}/a/1", ok())
        await first.settle()
        asker = second if elsewhere else first
        asked = tasks.start(asker.cancel.proposals(CALLER, [f"{batch_id}/b"], "enough", None), "cancel")
        await first.settle()
        go_on.set()
        (answer,) = await asked
        assert (answer.reason, ProposalState(answer.state).name) == ("", "CANCELLED")
        assert (await first.states(batch_id))["b"] == "CANCELLED"
        assert batch_id not in second.live


async def prepared(owner: World, place: Neighbourhood, asks: object) -> str:
    batch_id = await busy(
        owner, spec("note", "note"), spec("note", "other"), spec("pay", "pay"), spec("write", "write"), open=True
    )
    replica = place.replica(owner)
    if asks is repairs:
        replica.end(f"{batch_id}/write/1", failed(FailureClass.PERMANENT))
        replica.end(f"{batch_id}/running/1", failed(FailureClass.TIMEOUT, KnownEffect.POSSIBLE))
        await owner.settle()
        await owner.add.add(CALLER, batch_id, [spec("read", "keeps")], OnInvalid.REFUSE, False, None)
        await owner.settle()
    return batch_id
