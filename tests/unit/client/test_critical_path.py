"""The critical path over measured times."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from greenlight_client.cli.critical_path import critical_path

_GRAPHS = st.lists(st.tuples(st.integers(0, 50), st.sets(st.integers(0, 11))), max_size=12)


def test_a_diamond() -> None:
    seconds = {"a": 1.0, "b": 2.0, "c": 5.0, "d": 1.0}
    path = critical_path(seconds, {"b": ["a"], "c": ["a"], "d": ["b", "c"]})
    assert path.seconds == 7.0
    assert path.keys == ("a", "c", "d")


def test_nothing_took_nothing() -> None:
    assert critical_path({}, {}).seconds == 0


def test_a_dependency_without_a_time_counts_as_nothing() -> None:
    assert critical_path({"b": 2.0}, {"b": ["a"]}).keys == ("b",)


def test_a_long_chain_needs_no_recursion() -> None:
    seconds = {str(number): 1.0 for number in range(10_000)}
    depends_on = {str(number): [str(number - 1)] for number in range(1, 10_000)}
    assert critical_path(dict(reversed(seconds.items())), depends_on).seconds == 10_000


@given(_GRAPHS)
def test_it_is_the_longest_of_all_paths(graph: list[tuple[int, set[int]]]) -> None:
    seconds = {str(number): float(own) for number, (own, _) in enumerate(graph)}
    depends_on = {
        str(number): [str(other) for other in others if other < number] for number, (_, others) in enumerate(graph)
    }

    @cache
    def longest(key: str) -> float:
        return seconds[key] + max((longest(other) for other in depends_on[key]), default=0.0)

    path = critical_path(dict(reversed(seconds.items())), depends_on)
    assert path.seconds == max((longest(key) for key in seconds), default=0.0)
    assert sum(seconds[key] for key in path.keys) == path.seconds
    assert all(before in depends_on[after] for before, after in zip(path.keys, path.keys[1:], strict=False))
