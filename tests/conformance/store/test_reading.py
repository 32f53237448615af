"""Batches and proposals as they are shown, listed and watched."""

from orchestrator_svc.domain.proposal import Condition, Dependency, ProposalState
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Effect, FailureClass, KnownEffect, Tier
from orchestrator_svc.ports.store import Store
from orchestrator_svc.ports.views import BatchFilter, ProposalView
from tests.support.batches import MINUTE, Builder, broken, judged
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


async def test_a_view_says_how_many_unknown_outcomes_are_not_waited_for_any_more(store: Store) -> None:
    builder, other = Builder(), Builder()
    for each in (builder, other):
        each.batch.resolution_deadline = MINUTE
        items = [judged(name, effect=Effect.NON_IDEMPOTENT) for name in "abc"]
        await submitted(store, each, each.submit([*items, judged("d", tier=Tier.HARD)]))
        possible = broken(FailureClass.TIMEOUT, KnownEffect.POSSIBLE)
        await commit(store, each.dispatch("a", "b", "c"), each.succeed("c"), each.fail("a", "b", failure=possible))
    await commit(store, builder.give_up("b"))

    for each, given_up in ((builder, 1), (other, 0)):
        view = await store.get_batch("default", each.batch.id)
        assert view is not None
        assert (view.state, view.given_up, each.batch.given_up) == (BatchState.BLOCKED, given_up, given_up)
        assert view.counts[State.OUTCOME_UNKNOWN] == 2
    page = await store.list_batches("default", BatchFilter(), None, 10)
    assert {view.id: view.given_up for view in page.batches} == {builder.batch.id: 1, other.batch.id: 0}


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
