"""References inside arguments: found once, filled when what they name is there."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_svc.domain.canonical import canonical
from orchestrator_svc.domain.references import (
    MAX_BOUND_BYTES,
    ReferenceFault,
    fill,
    find_references,
    may_have_references,
)

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
    value, bound, missing = fill(text, RESULTS)
    assert canonical(bound)[1] == bound, "what is bound is canonical"
    assert json.loads(bound) == value
    return value, missing


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
    with pytest.raises(ReferenceFault, match="more than"):
        fill('[{"$from":"a"},{"$from":"a"}]', {"a": large})
    with pytest.raises(ReferenceFault, match="cannot be read"):
        fill('[{"$from":"a"}]', {"a": "1" * 2000})


def test_a_cheap_look_never_misses_one() -> None:
    for text in ('{"$from":"a"}', '{"\\u0024from":"a"}'):
        assert may_have_references(text)
        assert find_references(json.loads(text)) is not None
