import dataclasses
import datetime
import decimal
import enum
import json
import math
from typing import Any, TypedDict

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from greenlight_tool.results import ResultError, encode, encoder

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class Model(BaseModel):
    price: float
    note: str | None = None


@dataclasses.dataclass
class Row:
    at: datetime.date
    number: Any = None


class Colour(enum.Enum):
    RED = "red"


def numbered(number: int) -> enum.Enum:
    return enum.Enum("Numbered", {"IT": number})["IT"]


@given(VALUES)
def test_what_is_json_comes_back_exactly(value: Any):
    assert json.loads(encode(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_every_bit(value: float):
    again = json.loads(encode([value]))[0]
    assert (again, math.copysign(1, again)) == (value, math.copysign(1, value))


@pytest.mark.parametrize("number", [2**53 + 1, -(2**63), 2**64 - 1, 2**64, -(2**200)])
def test_integers_are_written_as_digits(number: int):
    assert encode({"n": [number]}) == b'{"n":[%d]}' % number
    assert encode(Row(datetime.date(2026, 1, 2), number)) == b'{"at":"2026-01-02","number":%d}' % number
    assert encode({"colour": Colour.RED, "n": numbered(number)}) == b'{"colour":"red","n":%d}' % number
    assert encoder(list[int])([number]) == b"[%d]" % number


@pytest.mark.parametrize(("sign", "digits"), [(1, 1001), (-1, 1001), (1, 5001)])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"a": [x]}, lambda x: Row(datetime.date(2026, 1, 1), x)])
def test_integers_of_more_than_a_thousand_digits_are_refused_with_a_remedy(sign: int, digits: int, wrap: Any):
    with pytest.raises(ResultError, match=r"^an integer has more than 1,000 digits; return it as a string$"):
        encode(wrap(sign * 10 ** (digits - 1)))


def test_integers_of_a_thousand_digits_are_results():
    assert encode([10**1000 - 1, 1 - 10**1000]) == b"[%d,%d]" % (10**1000 - 1, 1 - 10**1000)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda x: x,
        lambda x: [None, {"a": (x,)}],
        lambda x: Model(price=x),
        lambda x: Row(datetime.date(2026, 1, 1), x),
        lambda x: [2**70, x],
        lambda x: numpy.float64(x),
    ],
)
def test_nan_and_infinities_are_refused_wherever_they_hide(bad: float, wrap: Any):
    with pytest.raises(ResultError):
        encode(wrap(bad))


def test_declared_types_do_not_let_nan_through_either():
    with pytest.raises(ResultError):
        encoder(Model)(Model(price=float("nan")))
    with pytest.raises(ResultError):
        encoder(list[float])([float("inf")])


def test_a_null_and_the_word_are_no_nan():
    assert encode([None, "NaN", "Infinity", "null"]) == b'[null,"NaN","Infinity","null"]'


@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        {1, 2},
        {1: 2},
        {2**70: 1},
        [2**70, {1: 2}],
        [2**70, b""],
        1j,
        object(),
        "\ud800",
        [2**70, "\ud800"],
        len,
    ],
)
def test_what_is_not_json_is_refused(value: Any):
    with pytest.raises(ResultError):
        encode(value)


def test_endless_and_too_deep_values_are_refused():
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ResultError):
        encode(endless)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ResultError):
        encode(deep)
    while deep:  # or its destruction would go as deep
        deep = deep.pop()


def test_what_libraries_call_numbers_are_numbers():
    assert encode([numpy.float64(0.5), numpy.int64(3), numpy.float32(0.5)]) == b"[0.5,3,0.5]"


def test_rich_types_are_written_as_they_are_declared():
    class Typed(TypedDict):
        a: int

    assert encoder(Model)(Model(price=1.5)) == b'{"price":1.5,"note":null}'
    assert encoder(decimal.Decimal)(decimal.Decimal("1.10")) == b'"1.10"'
    assert encoder(set[int])({3}) == b"[3]"
    assert encoder(dict[int, str])({1: "a"}) == b'{"1":"a"}'
    assert encoder(Colour)(Colour.RED) == b'"red"'
    assert encoder(None)(None) == b"null"


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (Model, {"price": "x"}),
        (list[float], ["a"]),
        (dict, []),
        (str, 1),
        (dict[str, Any], None),
        (int, "1"),
        (None, 1),
    ],
)
def test_a_value_that_contradicts_its_declaration_is_refused(declared: Any, value: Any):
    with pytest.raises(ResultError, match="declared"):
        encoder(declared)(value)
