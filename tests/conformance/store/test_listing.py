"""Batches and proposals as they are listed, page by page."""

import pytest

from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.store import Store
from orchestrator_svc.ports.views import NEVER, BatchFilter, ProposalCursor, ProposalFilter, ProposalView
from tests.support.batches import MINUTE, Builder, judged
from tests.support.stores import EVERYTHING, commit, listed, listed_batches, submitted

State = ProposalState


async def sent(store: Store, builder: Builder, *items: str) -> Builder:
    return await submitted(store, builder, builder.submit([judged(item) for item in items]))


def keys(views: list[ProposalView]) -> list[str]:
    return [view.proposal.key for view in views]


class TestListedBatches:
    async def test_newest_first_in_pages(self, store: Store) -> None:
        builders = [await sent(store, Builder(), "a") for _ in range(5)]
        newest_first = [item.batch.id for item in reversed(builders)]
        for page in range(1, 7):
            assert [view.id for view in await listed_batches(store, page=page)] == newest_first
        first, below = await store.list_batches("default", BatchFilter(), None, 5)
        assert ([view.id for view in first], below) == (newest_first, None)

    async def test_by_their_ids_whatever_came_on_record_first(self, store: Store) -> None:
        """One that is recorded while somebody pages, behind a newer one, is on a later page."""
        old, late, new = Builder(), Builder(), Builder()
        await sent(store, new, "a")
        await sent(store, old, "a")
        first, below = await store.list_batches("default", BatchFilter(), None, 1)
        assert ([view.id for view in first], below) == ([new.batch.id], new.batch.id)
        await sent(store, late, "a")
        rest, below = await store.list_batches("default", BatchFilter(), below, 2)
        assert ([view.id for view in rest], below) == ([late.batch.id, old.batch.id], None)

    @pytest.mark.parametrize("where", [BatchFilter(session_id="s"), BatchFilter(states=(BatchState.RUNNING,))])
    async def test_so_are_those_of_a_session_and_those_that_run(self, store: Store, where: BatchFilter) -> None:
        builders = [Builder(session_id="s") for _ in range(4)]
        for builder in (builders[2], builders[0], builders[3], builders[1]):
            await sent(store, builder, "a")
        for page in range(1, 6):
            found = await listed_batches(store, where, page=page)
            assert [view.id for view in found] == [builder.batch.id for builder in reversed(builders)]

    async def test_by_what_they_are(self, store: Store) -> None:
        one, two = Builder(session_id="s1"), Builder(session_id="s2")
        one.batch.labels = {"team": "a", 'odd"key': 'x","y'}
        two.batch.labels = {"team": "a"}
        await sent(store, one, "a")
        await sent(store, two, "a")
        await commit(store, two.dispatch("a"), two.succeed("a"))

        async def ids(where: BatchFilter) -> list[str]:
            return [view.id for view in await listed_batches(store, where)]

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
        assert keys(await listed(store)) == ["hard", "soft"]

        await commit(store, builder.dispatch("auto"), builder.succeed("auto"), builder.approve("hard"))
        assert keys(await listed(store)) == ["soft", "later"]

    async def test_soonest_first_then_by_place_in_pages(self, store: Store) -> None:
        minutes = {"a": 5, "b": 3, "c": 5, "d": 1}
        builders = [Builder(), Builder()]
        for builder in builders:
            items = [judged(key, tier=Tier.SOFT, approval_deadline=m * MINUTE) for key, m in minutes.items()]
            await submitted(store, builder, builder.submit(items))
        first, second = [builder.batch.id for builder in builders]
        expected = [(first, "d"), (second, "d"), (first, "b"), (second, "b")]
        expected += [(first, "a"), (first, "c"), (second, "a"), (second, "c")]
        for page in range(1, 10):
            found = await listed(store, page=page)
            assert [(view.batch_id, view.proposal.key) for view in found] == expected

    async def test_what_nobody_is_asked_for_comes_after_by_place(self, store: Store) -> None:
        """Though it has an expiry still, and though its batch is older."""
        builders = [Builder(), Builder()]
        items = [judged("auto"), judged("decided", tier=Tier.HARD), judged("soft", tier=Tier.SOFT)]
        for builder in builders:
            await submitted(store, builder, builder.submit(items))
        await commit(store, builders[0].approve("decided"), builders[1].reject("decided"))
        first, second = [builder.batch.id for builder in builders]
        expected = [(first, "soft"), (second, "soft")]
        expected += [(id_, key) for id_ in (first, second) for key in ("auto", "decided")]
        for page in range(1, 8):
            found = await listed(store, ProposalFilter(states=tuple(State)), page=page)
            assert [(view.batch_id, view.proposal.key) for view in found] == expected

    @pytest.mark.parametrize("where", [ProposalFilter(states=tuple(State)), ProposalFilter(states=(State.APPROVED,))])
    async def test_by_their_batches_ids_whatever_came_on_record_first(
        self, store: Store, where: ProposalFilter
    ) -> None:
        builders = [Builder() for _ in range(6)]
        for place in (3, 0, 4, 5, 1, 2):
            await sent(store, builders[place], "a", "b")
        expected = [(builder.batch.id, key) for builder in builders for key in ("a", "b")]
        for page in range(1, 14):
            found = await listed(store, where, page=page)
            assert [(view.batch_id, view.proposal.key) for view in found] == expected

    async def test_each_that_is_asked_for_is_on_one_page(self, store: Store) -> None:
        """All of them expire at the same time, and their batches are recorded in another order than they were made."""
        builders = [Builder() for _ in range(4)]
        for builder in (builders[2], builders[0], builders[3], builders[1]):
            await submitted(store, builder, builder.submit([judged(key, tier=Tier.SOFT) for key in "ab"]))
        expected = sorted((builder.batch.id, key) for builder in builders for key in "ab")
        for page in range(1, 10):
            found = await listed(store, page=page)
            assert sorted((view.batch_id, view.proposal.key) for view in found) == expected

    @pytest.mark.parametrize("due", [NEVER, 1])
    async def test_a_place_that_no_proposal_can_have(self, store: Store, due: int) -> None:
        """Tokens are made by the service, and what comes back may be anybody's."""
        builders = [await sent(store, Builder(), "a") for _ in range(2)]
        after = ProposalCursor(due, builders[0].batch.id, 1 << 62)
        where = ProposalFilter(states=tuple(State))
        found, end = await store.list_proposals("default", where, after, 10, EVERYTHING)
        expected = builders if due < NEVER else builders[1:]
        assert ([view.batch_id for view in found], end) == ([builder.batch.id for builder in expected], None)

    async def test_a_page_is_cut_where_it_grows_large(self, store: Store) -> None:
        builder = Builder()
        keys = [f"p{number}" for number in range(5)]
        items = [judged(key, tier=Tier.SOFT, arguments='{"x":"' + "y" * 10_000 + '"}') for key in keys]
        await submitted(store, builder, builder.submit(items))
        seen: list[list[str]] = []
        after: ProposalCursor | None = None
        while after is not None or not seen:
            found, after = await store.list_proposals("default", ProposalFilter(), after, 9, 25_000)
            seen.append([view.proposal.key for view in found])
        assert seen == [["p0", "p1"], ["p2", "p3"], ["p4"]]
        found, after = await store.list_proposals("default", ProposalFilter(), None, 9, 0)
        assert [view.proposal.key for view in found] == ["p0"]
        assert after == found[0].cursor

    async def test_ended_ones_of_many_batches(self, store: Store) -> None:
        """More batches than one look passes, of which few have what is asked for."""
        builders = [Builder() for _ in range(300)]
        await commit(store, *[builder.submit([judged("a"), judged("b")]) for builder in builders])
        await commit(store, *[builder.dispatch("a", "b") for builder in builders])
        await commit(store, *[builder.succeed("a") for builder in builders])
        await commit(store, *[builder.fail("b") for builder in builders[::90]])
        found = [(builder.batch.id, "b") for builder in builders[::90]]
        failed = ProposalFilter(states=(State.FAILED,))
        for page in (1, 3, 4, 5):
            assert [(view.batch_id, view.proposal.key) for view in await listed(store, failed, page=page)] == found
        session = ProposalFilter(states=(State.SUCCEEDED, State.RUNNING), session_id=builders[7].session_id)
        assert keys(await listed(store, session)) == ["a", "b"]

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
        assert keys(await listed(store, where)) == expected

    async def test_of_one_batch(self, store: Store) -> None:
        builders = [Builder(), Builder()]
        for builder in builders:
            await submitted(store, builder, builder.submit([judged("a", tier=Tier.SOFT)]))
        where = ProposalFilter(batch_id=builders[1].batch.id)
        found = await listed(store, where)
        assert [view.batch_id for view in found] == [builders[1].batch.id]
