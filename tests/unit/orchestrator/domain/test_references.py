"""References inside arguments: found once, filled when what they name is there."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_svc.domain.canonical import canonical
from orchestrator_svc.domain.references import (
    MAX_BOUND_BYTES,
    BoundTooLargeFault,
    ReferenceFault,
    fill,
    find_references,
    may_have_references,
)
from orchestrator_svc.domain.sources import KEPT_BYTES, Sources

RESULTS: dict[str, str | None] = {
    "p": '{"price":12.50,"tags":["a","b"],"":{"/":1,"~":2},"deep":{"list":[[1],[2,3]]}}',
    "gone": None,
}
DATA = st.recursive(
    st.none() | st.integers(-5, 5) | st.text("ab$", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


def filled(arguments: Any) -> tuple[Any, tuple[str, ...]]:
    text = canonical(json.dumps(arguments))[1]
    assert find_references(json.loads(text)) is not None
    bound, missing = fill(text, RESULTS, Sources())
    assert canonical(bound)[1] == bound, "what is bound is canonical"
    return json.loads(bound), missing


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("", json.loads(RESULTS["p"] or "")),
        ("/price", 12.5),
        ("/tags/1", "b"),
        ("/deep/list/1/0", 2),
        ("//~1", 1),
        ("//~0", 2),
    ],
)
def test_a_pointer_names_a_part(pointer: str, expected: object) -> None:
    assert filled({"x": {"$from": "p", "path": pointer}}) == ({"x": expected}, ())


@pytest.mark.parametrize(
    "pointer", ["/nothing", "/tags/2", "/tags/-", "/tags/01", "/tags/-1", "/price/0", "/tags/" + "9" * 5000, "/tags/²"]
)
def test_one_into_nothing_fails_unless_it_has_a_default(pointer: str) -> None:
    with pytest.raises(ReferenceFault):
        filled({"x": {"$from": "p", "path": pointer}})
    assert filled({"x": {"$from": "p", "path": pointer, "default": None}}) == ({"x": None}, ("p",))


def test_what_gave_no_result_is_named_where_a_default_stands_for_it() -> None:
    assert filled([{"$from": "gone", "default": [0]}, {"$from": "p", "path": "/price"}]) == ([[0], 12.5], ("gone",))
    with pytest.raises(ReferenceFault, match="gone"):
        filled({"x": {"$from": "gone"}})


def test_a_literal_is_as_it_stands_and_a_default_too() -> None:
    inner = {"$from": "p", "path": "/price"}
    assert filled({"x": {"$literal": inner}}) == ({"x": inner}, ())
    assert filled({"x": {"$from": "gone", "default": inner}}) == ({"x": inner}, ("gone",))


@settings(max_examples=200, deadline=None)
@given(DATA)
def test_data_goes_through_a_literal_and_around_references_unchanged(value: Any) -> None:
    assert filled({"x": {"$literal": value}, "y": {"$from": "p", "path": "/price"}})[0] == {"x": value, "y": 12.5}
    assert filled({"x": value, "y": {"$from": "p", "path": "/price"}})[0] == {"x": value, "y": 12.5}


@pytest.mark.parametrize(
    "value", [{"$other": 1}, {"$from": "p", "$x": 1}, {"$literal": 1, "$from": "p"}, {"x": "$from"}]
)
def test_other_names_with_a_dollar_are_data(value: Any) -> None:
    assert find_references({"x": value}) is None


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"$from": ""}, "/x"),
        ({"$from": 1}, "/x"),
        ({"$from": "p", "path": "price"}, "/x"),
        ({"$from": "p", "path": 1}, "/x"),
        ({"$from": "p", "other": 1}, "/x"),
        ({"$literal": 1, "other": 1}, "/x"),
        ({"$secret": "s"}, "/x"),
        ({"$param": "s"}, "/x"),
        ([{"a/b": {"$secret": "s"}}], "/x/0/a~1b"),
    ],
)
def test_what_is_refused_and_where(value: Any, path: str) -> None:
    with pytest.raises(ReferenceFault) as caught:
        find_references({"x": value})
    assert caught.value.path == path


def test_keys_say_whether_finished_is_enough() -> None:
    found = find_references(
        [{"$from": "a"}, {"$from": "a", "default": 1}, {"$from": "b", "default": 1}, {"x": [{"$from": "c"}]}]
    )
    assert found is not None
    assert found.by_key() == {"a": False, "b": True, "c": False}


def test_what_is_bound_has_a_limit() -> None:
    large = json.dumps("x" * (MAX_BOUND_BYTES // 2))
    with pytest.raises(BoundTooLargeFault, match="more than 1,048,576 bytes"):
        fill('[{"$from":"a"},{"$from":"a"}]', {"a": large}, Sources())
    with pytest.raises(ReferenceFault, match="cannot be read"):
        fill('[{"$from":"a"}]', {"a": "1" * 2000}, Sources())


def peak_of(work: Callable[[], object]) -> int:
    """Bytes that it needs at most, beyond what is there."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_many_references_to_a_large_result_are_refused_before_they_are_written() -> None:
    result = json.dumps("x" * 1_000_000)
    text, sources = json.dumps({"v": [{"$from": "a"}] * 1_000}), Sources()

    def refuse_each() -> None:
        for _ in range(20):
            with pytest.raises(BoundTooLargeFault):
                fill(text, {"a": result}, sources)

    assert peak_of(refuse_each) < 16 * MAX_BOUND_BYTES, "a thousand times 1 MB, twenty times over"


def test_many_large_results_are_not_held_at_once() -> None:
    results = {f"r{n}": json.dumps([n, "x" * 1_000_000]) for n in range(100)}
    text = json.dumps([{"$from": key, "path": "/0"} for key in results])
    assert peak_of(lambda: fill(text, results, Sources())) < 4 * KEPT_BYTES, "a hundred times 1 MB"
    assert fill(text, results, Sources())[0] == json.dumps(list(range(100)), separators=(",", ":"))


def test_a_part_is_written_once_for_all_who_refer_to_it() -> None:
    sources, text = Sources(), '{"a":{"b":[1.0]}}'
    part = sources.part("k", text, "/a/b")
    assert part is not None
    assert part.text == "[1]"
    assert sources.part("k", text, "/a/b") is part
    assert sources.part("k", '{"a":{"b":2}}', "/a/b") is not part, "another result of the same key"


def test_a_place_of_very_long_names_costs_nothing_but_its_names() -> None:
    arguments = {"n" * 100_000: [{} for _ in range(1_000)], "x": {"$from": "p"}}
    assert peak_of(lambda: find_references(arguments)) < 1_000_000


def simply_filled(value: Any) -> Any:
    """As `fill`, without a thought for size."""
    if isinstance(value, list):
        return [simply_filled(item) for item in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    node = cast(dict[str, Any], value)
    if "$literal" in node:
        return node["$literal"]
    if "$from" not in node:
        return {name: simply_filled(item) for name, item in node.items()}
    found = json.loads(RESULTS[node["$from"]] or "null")
    for token in node["path"].split("/")[1:]:
        found = found.get(token) if isinstance(found, dict) else None
    return node["default"] if found is None else found


SPECIAL = st.builds(
    lambda key, path, default: {"$from": key, "path": path, "default": default},
    st.sampled_from(sorted(RESULTS)),
    st.sampled_from(["", "/price", "/tags", "/deep/list", "/nothing", "/tags/x"]),
    DATA,
) | st.builds(lambda value: {"$literal": value}, DATA)
ARGUMENTS = st.dictionaries(
    st.text("abé", max_size=2), st.recursive(DATA | SPECIAL, lambda inner: st.lists(inner, max_size=4), max_leaves=8)
)


@settings(max_examples=300, deadline=None)
@given(ARGUMENTS, st.integers(0, 300))
def test_what_is_filled_in_is_what_the_simple_way_gives_and_its_size_is_counted_right(value: Any, limit: int) -> None:
    expected = canonical(json.dumps(simply_filled(value)))[1]
    assert fill(json.dumps(value), RESULTS, Sources())[0] == expected
    if len(expected.encode()) <= limit:
        assert fill(json.dumps(value), RESULTS, Sources(), limit)[0] == expected
    else:
        with pytest.raises(BoundTooLargeFault):
            fill(json.dumps(value), RESULTS, Sources(), limit)


def test_a_cheap_look_never_misses_one() -> None:
    for text in ('{"$from":"a"}', '{"\\u0024from":"a"}'):
        assert may_have_references(text)
        assert find_references(json.loads(text)) is not None
