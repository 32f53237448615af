"""Edges are respected whatever the order, and cycles are found."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_svc.domain.graph import CycleError, Graph, check_acyclic
from orchestrator_svc.domain.proposal import Condition, Dependency
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.settling import is_ready
from tests.support.batches import Builder, judged

EDGES = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.just(count), st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30)
    )
)


def parents_of(count: int, edges: set[tuple[int, int]]) -> dict[int, list[int]]:
    return {child: sorted(parent for parent, other in edges if other == child) for child in range(count)}


@settings(max_examples=300, deadline=None)
@given(EDGES)
def test_a_cycle_is_found_where_there_is_one(shape: tuple[int, set[tuple[int, int]]]) -> None:
    count, edges = shape
    parents = parents_of(count, edges)
    left = dict(parents)
    while free := [node for node, above in left.items() if not any(parent in left for parent in above)]:
        for node in free:
            del left[node]
    if not left:
        check_acyclic(parents)
        return
    with pytest.raises(CycleError) as caught:
        check_acyclic(parents)
    circle = caught.value.ordinals
    assert len({*circle}) == len(circle) >= 1
    for node, parent in zip(circle, [*circle[1:], circle[0]], strict=True):
        assert parent in parents[node], "what it names is a cycle"


@settings(max_examples=150, deadline=None)
@given(EDGES, st.data())
def test_nothing_starts_before_what_it_needs(shape: tuple[int, set[tuple[int, int]]], data: st.DataObject) -> None:
    count, edges = shape
    acyclic = {(parent, child) for parent, child in edges if parent != child}
    order = data.draw(st.permutations(range(count)))
    acyclic = {(parent, child) for parent, child in acyclic if order.index(parent) < order.index(child)}
    parents = parents_of(count, acyclic)
    builder = Builder()
    builder.submit(
        [judged(f"p{n}", depends_on=[Dependency(f"p{parent}") for parent in parents[n]]) for n in range(count)]
    )
    started: list[int] = []
    while ready := [proposal for proposal in builder.batch.proposals if is_ready(proposal)]:
        one = data.draw(st.sampled_from(ready))
        assert all(parent in started for parent in parents[one.ordinal - 1])
        builder.dispatch(one.key)
        builder.succeed(one.key)
        started.append(one.ordinal - 1)
    assert sorted(started) == list(range(count))
    assert builder.batch.counts[State.SUCCEEDED] == count


def test_a_graph_of_thousands_in_a_row_is_no_depth() -> None:
    check_acyclic({node: [node + 1] for node in range(20_000)})
    with pytest.raises(CycleError):
        check_acyclic({node: [(node + 1) % 20_000] for node in range(20_000)})


def test_children_are_those_added() -> None:
    graph = Graph()
    graph.add([(2, [(1, Condition.SUCCEEDED)]), (3, [(1, Condition.FINISHED), (2, Condition.SUCCEEDED)])])
    assert [(edge.child, edge.when.name) for edge in graph.children(1)] == [(2, "SUCCEEDED"), (3, "FINISHED")]
    assert graph.children(3) == ()
