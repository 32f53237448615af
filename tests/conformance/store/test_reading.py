"""Batches and proposals as they are shown, listed and watched."""

import pytest

from orchestrator_svc.domain.proposal import Condition, Dependency, ProposalState
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.store import Store
from orchestrator_svc.ports.views import BatchFilter, ProposalCursor, ProposalFilter, ProposalView
from tests.support.batches import MINUTE, Builder, judged
from tests.support.stores import EVERYTHING, commit, submitted

State = ProposalState


async def sent(store: Store, builder: Builder, *items: str) -> Builder:
    return await submitted(store, builder, builder.submit([judged(item) for item in items]))


def keys(views: list[ProposalView]) -> list[str]:
    return [view.proposal.key for view in views]


async def test_a_view_says_what_the_batch_says(store: Store) -> None:
    builder = Builder()
    batch = builder.batch
    batch.name, batch.labels, batch.template, batch.max_in_flight = "night run", {"team": "a"}, "t@1", 3
    items = [judged("a", agent="data"), judged("b", agent="risk"), judged("c", agent="data", tier=Tier.HARD)]
    await submitted(store, builder, builder.submit(items))
    await commit(store, builder.dispatch("a", "b"), builder.succeed("b"))
    view = await store.get_batch("default", batch.id)

    assert view is not None
    for name in ("id", "tenant", "number", "session_id", "session_no", "name", "labels", "template", "principal"):
        assert getattr(view, name) == getattr(batch, name), name
    for name in ("trace_id", "state", "head", "asked", "open", "max_in_flight", "create_time", "finish_time"):
        assert getattr(view, name) == getattr(batch, name), name
    assert view.counts == tuple(batch.counts)
    assert [tally.name for tally in view.agents] == ["data", "risk"]
    assert [tally.counts[State.RUNNING] for tally in view.agents] == [1, 0]
    assert [sum(tally.counts) for tally in view.agents] == [2, 1]
    assert view.missing == []


async def test_a_finished_view_names_what_is_missing(store: Store) -> None:
    builder = await sent(store, Builder(), *[f"p{n}" for n in range(120)])
    everything = list(builder.batch.by_key)
    await commit(store, builder.dispatch(*everything), builder.succeed("p0"), builder.fail(*everything[1:]))
    view = await store.get_batch("default", builder.batch.id)

    assert view is not None
    assert view.state is BatchState.PARTIAL
    assert view.finish_time == builder.batch.finish_time
    assert view.missing == [f"p{n}" for n in range(1, 101)]


async def test_a_full_view_has_each_proposal_in_order(store: Store) -> None:
    builder = Builder()
    items = [
        judged("late", depends_on=[Dependency("a"), Dependency("b", Condition.FINISHED)]),
        judged("a"),
        judged("b"),
        judged("c", arguments='{"x":{"$from":"a","default":1}}'),
    ]
    await submitted(store, builder, builder.submit(items))
    await commit(store, builder.dispatch("b"), builder.fail("b"))
    found = await store.get_batch_full("default", builder.batch.id, EVERYTHING)

    assert found is not None
    view, proposals = found
    assert view.head == builder.batch.head
    assert keys(proposals) == ["late", "a", "b", "c"]
    assert [item.waiting_for for item in proposals] == [["a"], [], [], ["a"]]
    assert {item.batch_number for item in proposals} == {builder.batch.number}
    assert {item.session_id for item in proposals} == {builder.session_id}
    single = await store.get_proposal("default", builder.batch.id, "late")
    assert single is not None
    assert single.waiting_for == ["a"]
    assert single.proposal.depends_on == items[0].depends_on


async def test_record_times_go_to_the_attempt_that_they_are_of(store: Store) -> None:
    builder = await sent(store, Builder(), "a", "b", "c", "d")
    times: list[tuple[int, int, int]] = []

    def timed(ns: int) -> None:
        times.append((builder.batch.number, builder.batch.head, ns))

    await commit(store, builder.dispatch("a", "b", "c", "d"))
    together = builder.succeed("a")
    timed(1)
    await commit(store, together, builder.succeed("b"))
    timed(2)
    await commit(store, builder.succeed("c"))
    await commit(store, builder.succeed("d"))
    timed(4)
    await store.commit_record_times(times)
    await store.commit_record_times(times)
    found = await store.get_batch_full("default", builder.batch.id, EVERYTHING)

    assert found is not None
    assert [view.record_times for view in found[1]] == [{1: 1}, {1: 2}, {}, {1: 4}]
    single = await store.get_proposal("default", builder.batch.id, "b")
    assert single is not None
    assert single.record_times == {1: 2}


async def test_nothing_is_found_where_there_is_nothing(store: Store) -> None:
    await sent(store, builder := Builder(), "a")
    assert await store.get_batch("default", "unknown") is None
    assert await store.get_batch_full("default", "unknown", EVERYTHING) is None
    assert await store.batch_head("default", "unknown") is None
    assert await store.get_proposal("default", builder.batch.id, "unknown") is None
    assert await store.get_session("default", "unknown") is None
    assert await store.find_request("default", "unknown") is None
    assert await store.read_frames(99, 0, 100) == []


class TestListedBatches:
    async def test_newest_first_in_pages(self, store: Store) -> None:
        builders = [await sent(store, Builder(), "a") for _ in range(5)]
        first = await store.list_batches("default", BatchFilter(), None, 2)
        second = await store.list_batches("default", BatchFilter(), first[-1].number, 2)
        third = await store.list_batches("default", BatchFilter(), second[-1].number, 2)
        assert [view.id for view in first + second + third] == [item.batch.id for item in reversed(builders)]
        assert await store.list_batches("default", BatchFilter(), third[-1].number, 2) == []

    async def test_by_what_they_are(self, store: Store) -> None:
        one, two = Builder(session_id="s1"), Builder(session_id="s2")
        one.batch.labels = {"team": "a", 'odd"key': 'x","y'}
        two.batch.labels = {"team": "a"}
        await sent(store, one, "a")
        await sent(store, two, "a")
        await commit(store, two.dispatch("a"), two.succeed("a"))

        async def ids(where: BatchFilter) -> list[str]:
            return [view.id for view in await store.list_batches("default", where, None, 10)]

        both = [two.batch.id, one.batch.id]
        assert await ids(BatchFilter(session_id="s1")) == [one.batch.id]
        assert await ids(BatchFilter(states=(BatchState.SUCCEEDED,))) == [two.batch.id]
        assert await ids(BatchFilter(states=(BatchState.SUCCEEDED, BatchState.RUNNING))) == both
        assert await ids(BatchFilter(labels=(("team", "a"),))) == both
        assert await ids(BatchFilter(labels=(("team", "a"), ('odd"key', 'x","y')))) == [one.batch.id]
        assert await ids(BatchFilter(labels=(("team", "b"),))) == []
        assert (
            await ids(BatchFilter(id_prefix=one.batch.id[:-1])) == [one.batch.id]
            or one.batch.id[:-1] == two.batch.id[:-1]
        )
        assert await ids(BatchFilter(id_prefix=one.batch.id)) == [one.batch.id]
        assert await ids(BatchFilter(id_prefix="%")) == []


class TestListedProposals:
    async def test_the_inbox_is_what_a_person_is_asked_for(self, store: Store) -> None:
        builder = Builder()
        items = [
            judged("auto"),
            judged("soft", tier=Tier.SOFT, approval_deadline=9 * MINUTE),
            judged("hard", tier=Tier.HARD, approval_deadline=5 * MINUTE),
            judged("later", tier=Tier.HARD, arguments='{"x":{"$from":"auto"}}'),
        ]
        await submitted(store, builder, builder.submit(items))
        assert keys(await store.list_proposals("default", ProposalFilter(), None, 10)) == ["hard", "soft"]

        await commit(store, builder.dispatch("auto"), builder.succeed("auto"), builder.approve("hard"))
        assert keys(await store.list_proposals("default", ProposalFilter(), None, 10)) == ["soft", "later"]

    async def test_soonest_first_then_by_place_in_pages(self, store: Store) -> None:
        minutes = {"a": 5, "b": 3, "c": 5, "d": 1}
        builders = [Builder(), Builder()]
        for builder in builders:
            items = [judged(key, tier=Tier.SOFT, approval_deadline=m * MINUTE) for key, m in minutes.items()]
            await submitted(store, builder, builder.submit(items))
        seen: list[tuple[str, str]] = []
        after: ProposalCursor | None = None
        while page := await store.list_proposals("default", ProposalFilter(), after, 3):
            seen += [(view.batch_id, view.proposal.key) for view in page]
            last = page[-1]
            assert last.proposal.expire_time is not None
            after = ProposalCursor(last.proposal.expire_time, last.batch_number, last.proposal.ordinal)
        first, second = [builder.batch.id for builder in builders]
        expected = [(first, "d"), (second, "d"), (first, "b"), (second, "b")]
        assert seen == [*expected, (first, "a"), (first, "c"), (second, "a"), (second, "c")]

    async def test_what_never_expires_comes_last(self, store: Store) -> None:
        builder = Builder()
        await submitted(store, builder, builder.submit([judged("auto"), judged("soft", tier=Tier.SOFT)]))
        where = ProposalFilter(states=tuple(State))
        first = await store.list_proposals("default", where, None, 1)
        assert keys(first) == ["soft"]
        assert first[0].proposal.expire_time is not None
        after = ProposalCursor(first[0].proposal.expire_time, first[0].batch_number, first[0].proposal.ordinal)
        rest = await store.list_proposals("default", where, after, 10)
        assert keys(rest) == ["auto"]
        after = ProposalCursor(1 << 62, rest[0].batch_number, rest[0].proposal.ordinal)
        assert await store.list_proposals("default", where, after, 10) == []

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (ProposalFilter(states=(State.SUCCEEDED,)), ["one"]),
            (ProposalFilter(states=(State.SUCCEEDED, State.APPROVED)), ["one", "two"]),
            (ProposalFilter(states=(State.APPROVED,)), ["two"]),
            (ProposalFilter(tiers=(Tier.HARD,)), ["four"]),
            (ProposalFilter(tiers=(Tier.HARD, Tier.SOFT)), ["three", "four"]),
            (ProposalFilter(session_id="s1"), ["three", "four"]),
            (ProposalFilter(session_id="s2"), []),
            (ProposalFilter(agent="risk"), ["four"]),
            (ProposalFilter(tool="noop"), ["three"]),
            (ProposalFilter(tool="NOOP"), []),
            (ProposalFilter(labels=(("x", "1"),)), ["three"]),
            (ProposalFilter(labels=(("x", "1"), ("x", "2"))), []),
            (ProposalFilter(batch_id="unknown"), []),
        ],
    )
    async def test_by_what_they_are(self, store: Store, where: ProposalFilter, expected: list[str]) -> None:
        builder = Builder(session_id="s1")
        items = [
            judged("one"),
            judged("two"),
            judged("three", tier=Tier.SOFT, labels={"x": "1", "y": "2"}),
            judged("four", tier=Tier.HARD, agent="risk", tool="other"),
        ]
        await submitted(store, builder, builder.submit(items))
        await commit(store, builder.dispatch("one"), builder.succeed("one"))
        assert keys(await store.list_proposals("default", where, None, 10)) == expected

    async def test_of_one_batch(self, store: Store) -> None:
        builders = [Builder(), Builder()]
        for builder in builders:
            await submitted(store, builder, builder.submit([judged("a", tier=Tier.SOFT)]))
        where = ProposalFilter(batch_id=builders[1].batch.id)
        found = await store.list_proposals("default", where, None, 10)
        assert [view.batch_id for view in found] == [builders[1].batch.id]
