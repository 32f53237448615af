"""Decisions: item by item, atomic, edited, decided before the arguments are known."""

from collections.abc import AsyncGenerator

import pytest

from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.application.caller import Caller
from orchestrator_svc.application.decide import DecideProposals, DecisionSpec
from orchestrator_svc.application.each_item import EachItem
from orchestrator_svc.domain.digest import call_digest
from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.domain.tool import Tier
from shared.kernel.errors import InvalidError
from tests.support.engine_world import failed, keys, ok, spec, started
from tests.support.world import CALLER, World

BOB = Caller("default", "user:bob")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def replica(world: World) -> AsyncGenerator[Replica]:
    async with started(world) as replica:
        yield replica


async def decision(world: World, proposal_id: str, *, reject: bool = False, **members: object) -> DecisionSpec:
    digest = (await world.proposal(proposal_id)).decidable_digest
    verdict = Verdict.REJECT if reject else Verdict.APPROVE
    return DecisionSpec(proposal_id, verdict, **({"digest": digest} | members))  # type: ignore[arg-type]


async def test_each_item_has_its_answer_in_request_order(world: World, replica: Replica) -> None:
    first = await world.run(spec("pay", "a"), spec("pay", "b"), spec("read", "c", "b"))
    second = await world.run(spec("note", "a"))
    answers = await world.decide.decide(
        CALLER,
        [
            await decision(world, f"{second}/a"),
            DecisionSpec(f"{first}/a", Verdict.APPROVE, digest="sha256:" + "0" * 64),
            DecisionSpec("nonsense", Verdict.APPROVE),
            await decision(world, f"{first}/b", reject=True, message="no"),
            DecisionSpec(f"{first}/x", Verdict.APPROVE),
            await decision(world, f"{first}/c"),
        ],
        False,
        None,
    )
    reasons = ["", "DIGEST_MISMATCH", "PROPOSAL_UNKNOWN", "", "PROPOSAL_UNKNOWN", "PROPOSAL_NOT_PENDING"]
    assert [answer.reason for answer in answers] == reasons
    await world.settle()
    assert (await world.states(first)) == {"a": "PROPOSED", "b": "REJECTED", "c": "SKIPPED"}
    assert keys(replica.held) == ["a/1"]


async def test_a_hard_one_needs_its_digest_and_a_stale_revision_is_told(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("pay", "a"))
    for members, reason in [({"digest": ""}, "DIGEST_REQUIRED"), ({"revision": 7}, "REVISION_MISMATCH")]:
        (answer,) = await world.decide.decide(CALLER, [await decision(world, f"{batch_id}/a", **members)], False, None)
        assert answer.reason == reason
    (answer,) = await world.decide.decide(CALLER, [await decision(world, f"{batch_id}/a", revision=1)], False, None)
    assert answer.kind is None


async def test_all_or_nothing_on_request(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("pay", "a"), spec("pay", "b"))
    good = await decision(world, f"{batch_id}/a")
    bad = DecisionSpec(f"{batch_id}/b", Verdict.APPROVE)
    answers = await world.decide.decide(CALLER, [good, bad], True, None)
    assert [answer.reason for answer in answers] == ["NOT_APPLIED", "DIGEST_REQUIRED"]
    missing = DecisionSpec(f"{batch_id}/x", Verdict.APPROVE)
    answers = await world.decide.decide(CALLER, [good, missing], True, None)
    assert [answer.reason for answer in answers] == ["NOT_APPLIED", "PROPOSAL_UNKNOWN"]
    assert replica.received == []
    answers = await world.decide.decide(CALLER, [good, await decision(world, f"{batch_id}/b")], True, None)
    assert [answer.kind for answer in answers] == [None, None]
    await world.settle()
    assert sorted(keys(replica.held)) == ["a/1", "b/1"]


async def test_atomic_does_not_span_batches(world: World, replica: Replica) -> None:
    first, second = await world.run(spec("pay", "a")), await world.run(spec("pay", "a"))
    decisions = [await decision(world, f"{batch_id}/a") for batch_id in (first, second)]
    with pytest.raises(InvalidError, match="ATOMIC_SPANS_BATCHES"):
        await world.decide.decide(CALLER, decisions, True, None)
    assert replica.received == []


async def test_decided_again_it_stands_and_runs_once(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("pay", "a"))
    same = await decision(world, f"{batch_id}/a")
    for _ in range(2):
        (answer,) = await world.decide.decide(CALLER, [same], False, None)
        assert answer.kind is None
    other = await decision(world, f"{batch_id}/a", reject=True)
    (answer,) = await world.decide.decide(CALLER, [other], False, None)
    assert answer.reason == "PROPOSAL_NOT_PENDING"
    await world.settle()
    assert keys([call.id for call in replica.received]) == ["a/1"]
    assert len((await world.proposal(f"{batch_id}/a")).decisions) == 1


async def test_an_approval_of_what_has_expired_is_not_taken_for_an_earlier_one(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("pay", "a"))
    approval = await decision(world, f"{batch_id}/a")
    await world.decide.decide(CALLER, [approval], False, None)
    await world.settle()
    await world.advance(25 * 3600)
    await world.cancel.batch(CALLER, batch_id, "", None)
    await world.settle()
    await world.retry.retry(CALLER, [f"{batch_id}/a"], "", (), "", None)
    await world.settle()
    assert (await world.states(batch_id)) == {"a": "PROPOSED"}, "its approval is older than its deadline"
    await world.advance(25 * 3600)
    (answer,) = await world.decide.decide(CALLER, [approval], False, None)
    assert answer.reason == "PROPOSAL_NOT_PENDING"


async def test_a_retry_runs_on_an_approval_that_stands(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("pay", "a"))
    await world.approve(f"{batch_id}/a")
    replica.end(replica.held[0], failed(refused=True))
    await world.settle()
    await world.cancel.batch(CALLER, batch_id, "", None)
    await world.settle()
    await world.retry.retry(CALLER, [f"{batch_id}/a"], "", (), "", None)
    await world.settle()
    assert keys(replica.held) == ["a/2"]


async def test_edited_arguments_run_and_the_first_ones_stay_on_record(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("read", "p"), spec("pay", "a", arguments='{"x":{"$from":"p"}}'))
    replica.end(replica.held[0], ok("5"))
    await world.settle()
    before = await world.proposal(f"{batch_id}/a")
    answer = await world.approve(f"{batch_id}/a", edited='{"y": 1.50, "b": [] }')
    after = await world.proposal(f"{batch_id}/a")
    (call,) = [call for call in replica.received if call.tool.name == "pay"]
    assert call.arguments == '{"b":[],"y":1.5}'
    assert call.digest == answer.digest == call_digest(call.tool, call.arguments) == after.decisions[0].digest
    assert after.decisions[0].edited
    assert after.original_arguments == before.arguments
    assert after.revision > before.revision


@pytest.mark.parametrize("edited", ['{"x":{"$from":"p"}}', "[]", "{", '{"a":1,"a":2}', '{"a":NaN}'])
async def test_an_edit_that_is_unsound_decides_nothing(world: World, replica: Replica, edited: str) -> None:
    batch_id = await world.run(spec("pay", "a"))
    answer = await world.approve(f"{batch_id}/a", edited=edited)
    assert answer.reason == "ARGUMENTS_INVALID"
    assert (await world.states(batch_id)) == {"a": "PROPOSED"}
    assert replica.received == []


async def test_a_hard_one_that_refers_is_not_decided_before_it_is_bound(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("read", "p"), spec("pay", "a", arguments='{"x":{"$from":"p"}}'))
    answer = await world.approve(f"{batch_id}/a")
    assert answer.reason == "NOT_BOUND"
    answer = await world.approve(f"{batch_id}/a", accept_unbound=True)
    assert answer.kind is None
    replica.end(replica.held[0], ok("5"))
    await world.settle()
    assert [call.arguments for call in replica.received] == ["{}", '{"x":5}']
    assert (await world.proposal(f"{batch_id}/a")).decisions[0].accept_unbound


async def test_a_soft_one_may_be_decided_before_it_is_bound(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("read", "p"), spec("note", "a", arguments='{"x":{"$from":"p"}}'))
    assert (await world.approve(f"{batch_id}/a")).kind is None
    replica.end(replica.held[0], ok("5"))
    await world.settle()
    assert replica.received[-1].arguments == '{"x":5}'


async def test_a_proposer_cannot_approve_its_own_hard_one(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("pay", "a"), spec("note", "b"), spec("read", "c", tier=Tier.HARD))
    strict = DecideProposals(EachItem(world.requests, world.router()), world.judging, self_approval=False)
    mine = [await decision(world, f"{batch_id}/{key}") for key in "abc"]
    answers = await strict.decide(CALLER, mine, False, None)
    assert [answer.reason for answer in answers] == ["SELF_APPROVAL", "", "SELF_APPROVAL"]
    answers = await strict.decide(BOB, [mine[0], mine[2]], False, None)
    assert [answer.kind for answer in answers] == [None, None]
    await world.settle()
    assert sorted(keys(replica.held)) == ["a/1", "b/1", "c/1"]


async def test_another_tenant_sees_nothing_to_decide(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("pay", "a"))
    mine = await decision(world, f"{batch_id}/a")
    (answer,) = await world.decide.decide(Caller("other", "user:eve"), [mine], False, None)
    assert answer.reason == "PROPOSAL_UNKNOWN"
    assert (await world.states(batch_id)) == {"a": "PROPOSED"}
