"""The user's next turn confirms what was shown, but for the objections."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.decide import DecisionSpec
from orchestrator_svc.application.soft_confirm import SoftConfirm, SoftConfirmSpec
from orchestrator_svc.application.tokens import SessionCursor, session_mark
from orchestrator_svc.application.watch import Ended, Until, Watch
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.domain.states import OnInvalid
from shared.kernel.errors import InvalidError, NotFoundError
from tests.support.engine_world import keys, later, spec, started
from tests.support.held_store import HeldStore
from tests.support.world import CALLER, SECOND, World

WINDOW = 600
KEY = RequestKey("5c0e2f3a-0000-4000-8000-000000000001", "SoftConfirm", b"h")


@pytest.fixture
def store() -> HeldStore:
    return HeldStore(MemoryStore(ProtobufEventCodec()))


@pytest.fixture
def world(store: HeldStore) -> World:
    return World(store.port)


@pytest.fixture
async def replica(world: World) -> AsyncGenerator[Replica]:
    async with started(world) as replica:
        yield replica


@pytest.fixture
def soft(world: World) -> SoftConfirm:
    watch = Watch(world.store, world.feed, world.codec, world.clock, 15.0)
    return SoftConfirm(
        world.router(),
        world.store,
        world.requests,
        watch,
        world.clock,
        WINDOW * SECOND,
        3600 * SECOND,
    )


async def test_all_of_a_session_whatever_its_batch(world: World, replica: Replica, soft: SoftConfirm) -> None:
    first = await world.run(spec("note", "a"), spec("pay", "b"), session_id="s")
    second = await world.run(spec("note", "a", "b"), spec("pay", "b"), session_id="s")
    other = await world.run(spec("note", "a"), session_id="t")
    confirmation = await soft.confirm(CALLER, SoftConfirmSpec("s", everything=True), None)
    await world.settle()
    assert confirmation.confirmed == [f"{first}/a", f"{second}/a"]
    assert keys(replica.held) == ["a/1"]
    assert (await world.states(first)) == {"a": "RUNNING", "b": "PROPOSED"}
    assert (await world.states(second)) == {"a": "APPROVED", "b": "PROPOSED"}
    assert (await world.states(other)) == {"a": "PROPOSED"}
    decided = (await world.proposal(f"{first}/a")).decisions[0]
    assert decided.soft_confirmed


async def test_only_what_was_shown(world: World, replica: Replica, soft: SoftConfirm) -> None:
    batch_id = await world.run(spec("note", "a"), session_id="s", open=True)
    shown = SessionCursor(session_mark("default", "s"), 1, {1: (await world.batch(batch_id)).head}).encode()
    await world.add.add(CALLER, batch_id, [spec("note", "b")], OnInvalid.REFUSE, False, None)
    late = await world.run(spec("note", "c"), session_id="s")
    confirmation = await soft.confirm(CALLER, SoftConfirmSpec("s", shown), None)
    assert confirmation.confirmed == [f"{batch_id}/a"]
    assert confirmation.not_shown == [f"{batch_id}/b", f"{late}/c"]
    await world.settle()
    assert keys(replica.held) == ["a/1"]


async def test_objections_reject_with_their_message(world: World, replica: Replica, soft: SoftConfirm) -> None:
    batch_id = await world.run(spec("note", "a"), spec("note", "b"), spec("read", "c", "b"), session_id="s")
    objections = {f"{batch_id}/b": "not that one"}
    confirmation = await soft.confirm(CALLER, SoftConfirmSpec("s", everything=True, objections=objections), None)
    assert confirmation.objected == [f"{batch_id}/b"]
    await world.settle()
    assert (await world.states(batch_id)) == {"a": "RUNNING", "b": "REJECTED", "c": "SKIPPED"}
    assert (await world.proposal(f"{batch_id}/b")).decisions[0].message == "not that one"


async def test_what_others_decide_meanwhile_is_theirs(
    world: World, replica: Replica, soft: SoftConfirm, store: HeldStore
) -> None:
    """The turn looks before their decisions are on record, and comes after them."""
    batch_id = await world.run(*(spec("note", key) for key in "abcd"), session_id="s")
    other = await world.run(spec("note", "e"), session_id="s")
    store.hold()
    verdicts = {f"{batch_id}/a": Verdict.APPROVE, f"{batch_id}/b": Verdict.REJECT, f"{batch_id}/d": Verdict.APPROVE}
    verdicts[f"{other}/e"] = Verdict.REJECT
    bob = Caller("default", "user:bob")
    decisions = [[DecisionSpec(proposal_id, verdict)] for proposal_id, verdict in verdicts.items()]
    deciding = [asyncio.create_task(world.decide.decide(bob, decision, False, None)) for decision in decisions]
    await world.settle()
    turn = SoftConfirmSpec("s", everything=True, objections={f"{batch_id}/d": "no"})
    confirming = asyncio.create_task(soft.confirm(CALLER, turn, KEY))
    await world.settle()
    assert (await world.proposal(f"{batch_id}/a")).state is State.PROPOSED
    store.release()
    confirmation = await confirming
    assert [answer.kind for (answer,) in await asyncio.gather(*deciding)] == [None] * 4
    assert (confirmation.confirmed, confirmation.objected) == ([f"{batch_id}/c"], [])
    assert list(confirmation.after) == [batch_id]
    assert [(late.proposal_id, late.reason, State(late.state).name) for late in confirmation.not_pending] == [
        (f"{batch_id}/a", "PROPOSAL_NOT_PENDING", "RUNNING"),
        (f"{batch_id}/b", "PROPOSAL_NOT_PENDING", "REJECTED"),
        (f"{batch_id}/d", "PROPOSAL_NOT_PENDING", "RUNNING"),
        (f"{other}/e", "PROPOSAL_NOT_PENDING", "REJECTED"),
    ]
    assert await soft.confirm(CALLER, turn, KEY) == confirmation
    for proposal_id in verdicts:
        assert [made.principal for made in (await world.proposal(proposal_id)).decisions] == ["user:bob"]


async def test_an_objection_counts_whoever_proposed(world: World, replica: Replica, soft: SoftConfirm) -> None:
    batch_id = await world.run(spec("note", "a", agent="x"), spec("note", "b", agent="y"), session_id="s")
    turn = SoftConfirmSpec("s", everything=True, agents=("y",), objections={f"{batch_id}/a": "no"})
    confirmation = await soft.confirm(CALLER, turn, None)
    assert (confirmation.confirmed, confirmation.objected) == ([f"{batch_id}/b"], [f"{batch_id}/a"])


async def test_past_the_window_a_turn_does_not_confirm_but_a_decision_does(
    world: World, replica: Replica, soft: SoftConfirm
) -> None:
    batch_id = await world.run(spec("note", "a"), spec("note", "b", approval_deadline=60 * SECOND), session_id="s")
    await later(world, WINDOW + 1)
    confirmation = await soft.confirm(CALLER, SoftConfirmSpec("s", everything=True), None)
    assert confirmation.window_passed == [f"{batch_id}/a"]
    assert confirmation.expired == [f"{batch_id}/b"]
    assert confirmation.confirmed == []
    assert (await world.approve(f"{batch_id}/a")).kind is None
    assert keys(replica.held) == ["a/1"]


async def test_only_some_agents(world: World, replica: Replica, soft: SoftConfirm) -> None:
    batch_id = await world.run(spec("note", "a", agent="x"), spec("note", "b", agent="y"), session_id="s")
    confirmation = await soft.confirm(CALLER, SoftConfirmSpec("s", everything=True, agents=("y",)), None)
    assert confirmation.confirmed == [f"{batch_id}/b"]
    await world.settle()
    assert (await world.states(batch_id)) == {"a": "PROPOSED", "b": "RUNNING"}


async def test_the_same_request_attaches_again_and_confirms_nothing_more(
    world: World, replica: Replica, soft: SoftConfirm
) -> None:
    batch_id = await world.run(spec("note", "a"), session_id="s", open=True)
    first = await soft.confirm(CALLER, SoftConfirmSpec("s", everything=True), KEY)
    await world.add.add(CALLER, batch_id, [spec("note", "b")], OnInvalid.REFUSE, False, None)
    again = await soft.confirm(CALLER, SoftConfirmSpec("s", everything=True), KEY)
    assert again == first
    assert (await world.states(batch_id))["b"] == "PROPOSED"
    assert len((await world.proposal(f"{batch_id}/a")).decisions) == 1


async def test_it_is_followed_from_its_decisions_on(world: World, replica: Replica, soft: SoftConfirm) -> None:
    batch_id = await world.run(spec("note", "a"), session_id="s")
    before = (await world.batch(batch_id)).head
    confirmation = await soft.confirm(CALLER, SoftConfirmSpec("s", everything=True), None)
    await world.settle()
    replica.release()
    await world.settle()
    items = [item async for item in soft.follow("default", "s", confirmation, Until.FINISHED, None)]
    assert confirmation.after == {batch_id: before}
    assert isinstance(items[-1], Ended)
    assert items[-1].batch_ids == [batch_id]


async def test_what_to_confirm_must_be_said_and_exist(world: World, replica: Replica, soft: SoftConfirm) -> None:
    for unsaid in (SoftConfirmSpec("s"), SoftConfirmSpec("s", SessionCursor("", 1).encode(), everything=True)):
        with pytest.raises(InvalidError, match="SHOWN_REQUIRED"):
            await soft.confirm(CALLER, unsaid, None)
    with pytest.raises(NotFoundError, match="SESSION_UNKNOWN"):
        await soft.confirm(CALLER, SoftConfirmSpec("nowhere", everything=True), None)
    with pytest.raises(InvalidError, match="SESSION_TOKEN_INVALID"):
        await soft.confirm(CALLER, SoftConfirmSpec("s", "garbage!"), None)
