"""Commands for a batch of another orchestrator: written down, seen by the owner only, answered once."""

from orchestrator_svc.domain.changes import CommandRecord
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.commands import CommandAnswer, CommandId, SentCommand
from tests.support.batches import START, Builder, judged
from tests.support.stores import WholeStore, commit, submitted, taken

ONE, TWO = "one-1", "two-1"


async def busy(store: WholeStore, incarnation: str = ONE, tenant: str = "default") -> Builder:
    builder = Builder(tenant=tenant, incarnation=incarnation)
    return await submitted(store, builder, builder.submit([judged("a"), judged("b", tier=Tier.HARD)]))


def to(builder: Builder, request_id: str = "r", sender: str = TWO) -> SentCommand:
    return SentCommand(builder.tenant, builder.batch.id, request_id, "Decide", b"hash", b'{"a":1}', "user:ann", sender)


def answering(builder: Builder, request_id: str = "r", answer: bytes = b"done") -> CommandRecord:
    return CommandRecord(request_id, "Decide", b"hash", answer)


async def carry_out(store: WholeStore, builder: Builder, request_id: str = "r") -> None:
    changes = builder.approve("b")
    changes.command = answering(builder, request_id)
    assert not (await commit(store, changes)).lost


async def answer_to(store: WholeStore, command: SentCommand) -> tuple[bytes | None, bytes | None] | None:
    said = (await store.answers([command.id])).get(command.id)
    return None if said is None else (said.answer, said.refusal)


async def test_its_owner_sees_it_whole_and_nobody_else(one: WholeStore, two: WholeStore) -> None:
    builder, mine = await busy(one), await busy(two, TWO)
    await two.send([to(builder)], START)
    assert await one.received(9) == [to(builder)]
    assert await two.received(9) == []
    assert await answer_to(two, to(builder)) is None
    await one.send([to(mine, sender=ONE)], START)
    assert await two.received(9) == [to(mine, sender=ONE)]


async def test_the_oldest_come_first(one: WholeStore, two: WholeStore) -> None:
    builder = await busy(one)
    for place, name in enumerate(("c", "a", "b")):
        await two.send([to(builder, name)], START + place)
    assert [command.request_id for command in await one.received(2)] == ["c", "a"]
    assert [command.request_id for command in await one.received(9)] == ["c", "a", "b"]


async def test_what_changed_something_is_answered_with_it(one: WholeStore, two: WholeStore) -> None:
    builder = await busy(one)
    await two.send([to(builder)], START)
    await carry_out(one, builder)
    assert await answer_to(two, to(builder)) == (b"done", None)
    assert await one.received(9) == []


async def test_a_refusal_is_its_answer(one: WholeStore, two: WholeStore) -> None:
    builder = await busy(one)
    await two.send([to(builder)], START)
    await one.refuse([(to(builder), b'{"reason":"X"}')])
    assert await answer_to(two, to(builder)) == (None, b'{"reason":"X"}')
    assert await one.received(9) == []


async def test_several_refusals_at_once(one: WholeStore, two: WholeStore) -> None:
    """Of different batches; each by who has the batch, or nobody."""
    first, second, mine = await busy(one), await busy(one), await busy(two, TWO)
    for builder in (first, second, mine):
        await two.send([to(builder), to(builder, "s")], START)
    unknown = to(first)._replace(batch_id="nobody's")
    await one.refuse([(to(second, "s"), b"2"), (to(mine), b"no"), (unknown, b"no"), (to(first), b"1")])
    found = [await answer_to(two, to(builder, name)) for builder in (first, second, mine) for name in "rs"]
    assert found == [(None, b"1"), None, None, (None, b"2"), None, None]
    await one.refuse([])


async def test_sent_again_it_waits_again(one: WholeStore, two: WholeStore) -> None:
    """A refusal may be of the moment: who asks once more is judged once more."""
    builder = await busy(one)
    await two.send([to(builder)], START)
    await one.refuse([(to(builder), b"{}")])
    other = to(builder, sender="three-1")._replace(arguments=b"other")
    await two.send([other], START + 1)
    assert await answer_to(two, to(builder)) is None
    assert await one.received(9) == [to(builder)._replace(sender="three-1")], "what was asked stays"


async def test_who_is_not_the_owner_refuses_nothing(one: WholeStore, two: WholeStore) -> None:
    builder = await busy(one)
    await two.send([to(builder)], START)
    await two.refuse([(to(builder), b"{}")])
    assert await answer_to(two, to(builder)) is None
    assert await one.received(9) == [to(builder)]


async def test_an_answer_stands_above_a_refusal(one: WholeStore, two: WholeStore) -> None:
    builder = await busy(one)
    await two.send([to(builder)], START)
    await carry_out(one, builder)
    await one.refuse([(to(builder), b"{}")])
    assert await answer_to(two, to(builder)) == (b"done", None)


async def test_it_goes_to_whoever_has_the_batch(one: WholeStore, two: WholeStore) -> None:
    builder = await busy(one)
    await two.send([to(builder)], START)
    await one.let_go([builder.batch], START)
    assert await one.received(9) == []
    await taken(two, builder)
    assert await two.received(9) == [to(builder)]


async def test_withdrawn_nobody_sees_it(one: WholeStore, two: WholeStore) -> None:
    builder = await busy(one)
    await two.send([to(builder)], START)
    await two.withdraw([CommandId("default", builder.batch.id, "r")])
    assert await one.received(9) == []
    await carry_out(one, builder)
    assert await answer_to(two, to(builder)) == (b"done", None), "what is on record stays"


async def test_an_answer_is_recorded_once(one: WholeStore, two: WholeStore) -> None:
    builder = await busy(one)
    await two.send([to(builder)], START)
    await carry_out(one, builder)
    changes = builder.dispatch("a")
    changes.command = answering(builder, answer=b"again")
    committed = await commit(one, changes)
    assert (committed.lost, committed.unwritable) == ({builder.batch.id}, set())
    assert await answer_to(two, to(builder)) == (b"done", None)


async def test_an_answer_says_which_request_it_is_of(one: WholeStore, two: WholeStore) -> None:
    """The id may have been used for another one, elsewhere."""
    builder = await busy(one)
    await two.send([to(builder), to(builder, "s")], START)
    await two.send([to(builder, each)._replace(kind="Cancel", payload_hash=b"other") for each in "rs"], START)
    await carry_out(one, builder)
    await one.refuse([(to(builder, "s"), b"no")])
    assert await two.answers([to(builder).id, to(builder, "s").id]) == {
        to(builder).id: CommandAnswer(b"done", None, "Decide", b"hash"),
        to(builder, "s").id: CommandAnswer(None, b"no", "Decide", b"hash"),
    }


async def test_tenants_and_batches_are_apart(one: WholeStore, two: WholeStore) -> None:
    first, second, foreign = await busy(one), await busy(one), await busy(one, tenant="other")
    for builder in (first, second, foreign):
        await two.send([to(builder)], START)
    await carry_out(one, first)
    assert {command.batch_id for command in await one.received(9)} == {second.batch.id, foreign.batch.id}
    assert await two.answers([CommandId("other", first.batch.id, "r")]) == {}
    await two.withdraw([CommandId("other", second.batch.id, "r")])
    await two.withdraw([CommandId("default", foreign.batch.id, "r")])
    assert len(await one.received(9)) == 2


async def test_many_at_once(one: WholeStore, two: WholeStore) -> None:
    """One request over two batches is two commands; what is said of one says nothing of the other."""
    first, second, foreign = await busy(one), await busy(one), await busy(one, tenant="other")
    sent = [to(second, "b"), to(first, "a"), to(second, "a"), to(Builder()), to(foreign, "a"), to(first, "b")]
    await two.send(sent, START)
    there = [command for command in sent if command.batch_id in (first.batch.id, second.batch.id, foreign.batch.id)]
    assert await one.received(9) == there
    await carry_out(one, first, "a")
    await one.refuse([(to(second, "b"), b"no")])
    await one.refuse([(to(foreign, "a"), b"never")])
    done, refused = to(first, "a").id, to(second, "b").id
    assert await two.answers([command.id for command in sent if command.tenant == "default"]) == {
        done: CommandAnswer(b"done", None, "Decide", b"hash"),
        refused: CommandAnswer(None, b"no", "Decide", b"hash"),
    }
    assert await two.answers([to(first, "b").id, to(second, "a").id]) == {}
    await two.withdraw([to(first, "a").id, to(second, "b").id, to(Builder()).id])
    assert await one.received(9) == [to(second, "a"), to(first, "b")]
    assert (await two.answers([refused, to(foreign, "a").id])).keys() == {to(foreign, "a").id}


async def test_one_for_no_batch_is_nobodys(one: WholeStore, two: WholeStore) -> None:
    await two.send([to(Builder())], START)
    assert await one.received(9) == []
    assert await one.forget_commands(START + 1) == 0


async def test_those_of_senders_that_are_gone_are_forgotten(one: WholeStore, two: WholeStore) -> None:
    builder = await busy(one)
    await one.send([to(builder, "live", ONE)], START)
    await two.send([to(builder, "old")], START)
    await two.send([to(builder, "new")], START + 9)
    await two.end()
    assert await one.forget_commands(START + 1) == 1
    assert [command.request_id for command in await one.received(9)] == ["live", "new"]
