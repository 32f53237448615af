"""New batches: their numbers, their sessions, what is visible when, and the requests that they are made by."""

from itertools import pairwise

from orchestrator_svc.domain.changes import CommandRecord
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.ports.views import BatchFilter, ProposalFilter
from tests.support.batches import AnyArguments, Builder, judged
from tests.support.stores import EVERYTHING, Opener, WholeStore, commit, listed, listed_batches, submitted


class Large(Builder):
    """A submission of three parts."""

    def __init__(self, command: CommandRecord | None = None) -> None:
        super().__init__()
        self.parts = self.submit([judged(f"p{n}") for n in range(300)], command).parts()


def command(request_id: str, answer: bytes = b"answer") -> CommandRecord:
    return CommandRecord(request_id, "SubmitBatch", b"hash", answer)


async def test_numbers_grow_and_each_session_counts_its_own(store: WholeStore) -> None:
    builders = [Builder(session_id=name) for name in ("a", "b", "a")]
    committed = await commit(store, *[builder.submit([judged("x")]) for builder in builders])
    builders.append(await submitted(store, later := Builder(session_id="a"), later.submit([judged("x")])))

    assert [builder.batch.session_no for builder in builders] == [1, 1, 2, 3]
    numbers = [builder.batch.number for builder in builders]
    assert all(a < b for a, b in pairwise(numbers))
    assert committed.created == {item.batch.id: (item.batch.number, item.batch.session_no) for item in builders[:3]}


async def test_sessions_of_two_tenants_count_apart(store: WholeStore) -> None:
    builders = [Builder(tenant=tenant, session_id="same") for tenant in ("a", "b")]
    await commit(store, *[builder.submit([judged("x")]) for builder in builders])
    assert [builder.batch.session_no for builder in builders] == [1, 1]


async def test_a_batch_makes_its_session(store: WholeStore) -> None:
    builder = Builder()
    builder.batch.context = '{"desk":"bonds"}'
    await submitted(store, builder, builder.submit([judged("x"), judged("y")]))
    found = await store.get_session("default", builder.session_id)

    assert found is not None
    session, statistics = found
    assert (session.context, session.revision, session.create_time) == (
        '{"desk":"bonds"}',
        1,
        builder.batch.create_time,
    )
    assert statistics == (1, 1, 2, 0)


async def test_an_empty_open_batch_is_written(store: WholeStore) -> None:
    builder = Builder()
    builder.batch.open = True
    await submitted(store, builder, builder.submit([]))
    await commit(store, builder.add([judged("a")]))
    view = await store.get_batch("default", builder.batch.id)
    assert view is not None
    assert (view.open, view.counts[2]) == (True, 1)


async def is_visible(store: WholeStore, builder: Builder) -> bool:
    """By any look-up; all of them must agree."""
    batch_id, session_id = builder.batch.id, builder.session_id
    answers = [
        await store.get_batch("default", batch_id),
        await store.get_batch_full("default", batch_id, EVERYTHING),
        await store.batch_head("default", batch_id),
        await store.take("default", batch_id, AnyArguments()),
        await store.get_proposal("default", batch_id, "p0"),
        await store.session_heads("default", session_id, 0, [builder.batch.session_no]),
        await listed_batches(store, BatchFilter(session_id=session_id)),
        await listed(store, ProposalFilter(states=tuple(ProposalState))),
    ]
    assert len({bool(answer) for answer in answers}) == 1, answers
    return bool(answers[0])


async def test_a_large_submission_is_invisible_until_its_last_part(store: WholeStore) -> None:
    builder = Large()
    assert len(builder.parts) == 3
    for part in builder.parts[:-1]:
        assert not (await commit(store, part)).lost
        assert not await is_visible(store, builder)
    assert not (await commit(store, builder.parts[-1])).lost

    head = await store.batch_head("default", builder.batch.id)
    assert head is not None
    assert head.head == builder.batch.head
    assert await is_visible(store, builder)


async def test_another_start_removes_what_was_never_published(store: WholeStore, opener: Opener) -> None:
    builder = Large(command("r1"))
    await commit(store, builder.parts[0])
    await commit(store, builder.parts[1])
    store = await opener.restart()

    assert not await is_visible(store, builder)
    assert (await commit(store, builder.parts[2])).lost == {builder.batch.id}
    assert await store.read_frames(builder.batch.number, 0, 1) == []
    again = Builder(session_id=builder.session_id)
    await submitted(store, again, again.submit([judged("x")], command("r1")))


async def test_a_watcher_of_the_session_sees_no_number_before_a_lower_one(store: WholeStore) -> None:
    """Else its cursor would stand above a batch that is published later."""
    slow = Large()
    quick = Builder(session_id=slow.session_id)
    await commit(store, slow.parts[0])
    await submitted(store, quick, quick.submit([judged("x")]))
    assert await store.session_heads("default", slow.session_id, 0, []) == []

    await commit(store, *slow.parts[1:])
    heads = await store.session_heads("default", slow.session_id, 0, [])
    assert [head.session_no for _, head in heads] == [1, 2]


async def test_a_request_makes_one_batch(store: WholeStore) -> None:
    first, second = Builder(), Builder()
    await submitted(store, first, first.submit([judged("x")], command("r1", b"first")))
    committed = await commit(store, second.submit([judged("x")], command("r1", b"second")))

    assert committed.lost == {second.batch.id}
    assert await store.get_batch("default", second.batch.id) is None
    request = await store.find_request("default", "r1")
    assert request is not None
    assert request.answers == {first.batch.id: b"first"}


async def test_of_two_batches_in_one_commit_the_first_has_the_request(store: WholeStore) -> None:
    first, second, other = Builder(), Builder(), Builder(tenant="other")
    changes = [item.submit([judged("x")], command("r1")) for item in (first, second, other)]
    committed = await commit(store, *changes)
    assert committed.lost == {second.batch.id}


async def test_a_large_submission_of_a_remembered_request_goes_without_a_trace(store: WholeStore) -> None:
    first, second = Builder(), Large(command("r1"))
    for part in second.parts[:2]:
        await commit(store, part)
    await submitted(store, first, first.submit([judged("x")], command("r1", b"first")))
    assert (await commit(store, second.parts[2])).lost == {second.batch.id}

    assert not await store.session_heads("default", second.session_id, 0, [])
    assert await store.read_frames(second.batch.number, 0, 1) == []
    request = await store.find_request("default", "r1")
    assert request is not None
    assert request.answers == {first.batch.id: b"first"}


async def test_an_id_that_is_taken_cannot_be_written(store: WholeStore) -> None:
    first, second, other = Builder(), Builder(), Builder()
    second.batch.id = first.batch.id
    await submitted(store, first, first.submit([judged("x")]))
    committed = await commit(store, second.submit([judged("y")]))
    assert (committed.lost, committed.unwritable) == (set(), {first.batch.id})
    await submitted(store, other, other.submit([judged("x")]))
    assert await store.get_proposal("default", first.batch.id, "x") is not None
