import datetime
import enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from greenlight_tool import ToolContext, tool
from greenlight_tool.signature import ArgumentsError


class Side(enum.Enum):
    BUY = "buy"


class Leg(BaseModel):
    side: Side
    amount: int


@tool(effect="READ")
def act(
    text: str,
    number: int = 1,
    real: float = 1.0,
    flag: bool = False,
    day: datetime.date | None = None,
    leg: Leg | None = None,
    mode: Literal["a", "b"] = "a",
    few: Annotated[list[int], Field(max_length=2)] = [],  # noqa: B006
    anything: Any = None,
) -> None: ...


def test_values_come_as_the_declared_types():
    parsed = act.signature.parse('{"text":"ü","real":1,"day":"2026-01-02","leg":{"side":"buy","amount":3},"mode":"b"}')
    assert parsed == {
        "text": "ü",
        "real": 1.0,
        "day": datetime.date(2026, 1, 2),
        "leg": Leg(side=Side.BUY, amount=3),
        "mode": "b",
    }


def test_integers_beyond_64_bits_are_kept_exactly():
    assert act.signature.parse(f'{{"text":"","number":{2**200}}}')["number"] == 2**200


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ("{}", "text"),
        ('{"text":1}', "text"),
        ('{"text":null}', "text"),
        ('{"text":"","number":"1"}', "number"),
        ('{"text":"","number":1.5}', "number"),
        ('{"text":"","flag":1}', "flag"),
        ('{"text":"","day":20260102}', "day"),
        ('{"text":"","leg":{"side":"sell","amount":1}}', "leg.side"),
        ('{"text":"","mode":"c"}', "mode"),
        ('{"text":"","few":[1,2,3]}', "few"),
        ('{"text":"","few":[1,"2"]}', "few[1]"),
        ('{"text":"","other":1}', "other"),
        ('{"text":"","real":NaN}', ""),
        ('{"text":"","anything":[Infinity]}', ""),
        ('{"text":"","real":1e999}', ""),
        ('{"text":"","anything":1e400}', ""),
        ('{"text":"","anything":[-1e400]}', ""),
        ('{"text":"a","text":"b"}', ""),
        ('{"text":"","anything":{"a":1,"a":1}}', ""),
        ('{"text":"","anything":{"a":1,"\\u0061":2}}', ""),
        ('{"text":"","number":' + "9" * 1001 + "}", ""),
        ('{"text":"\\ud800"}', ""),
        ("[]", ""),
        ("null", ""),
        ("", ""),
        ("{", ""),
        ('{"text":"a"} ,', ""),
        ('{"text":"","anything":' + "[" * 100_000 + "]" * 100_000 + "}", ""),
    ],
)
def test_what_does_not_fit_is_refused_with_its_path(arguments: str, path: str):
    with pytest.raises(ArgumentsError) as raised:
        act.signature.parse(arguments)
    assert path in [where for where, _ in raised.value.problems]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ('{"text":"","text":"b"}', "the member 'text' stands twice in one object; keep one of them"),
        ('{"text":"","anything":1e400}', "the number 1e400 is too large for a double; send it as a string"),
        ('{"text":"","number":-' + "9" * 1001 + "}", "an integer has more than 1,000 digits; send it as a string"),
        ('{"text":"","number":1' + "0" * 5000 + "}", "an integer has more than 1,000 digits; send it as a string"),
        ('{"text":"","real":NaN}', "NaN is not JSON; send null or a string"),
        ('{"text"}', "not JSON: Expecting ':' delimiter at character 7"),
    ],
)
def test_what_parsers_differ_on_is_refused_with_a_remedy(arguments: str, remedy: str):
    with pytest.raises(ArgumentsError) as raised:
        act.signature.parse(arguments)
    assert raised.value.problems == [("", remedy)]


@pytest.mark.parametrize(
    "arguments",
    [
        ' { "text" : "\\u00fc" , "real" : 1E+2, "anything": -0.0 } ',
        '{"text":"ü","anything":{"a":{"a":1e308},"b":[{"a":1},{"a":1}]}}',
        '{"anything":1e+21,"text":""}',
        '{"text":"","number":-' + "9" * 1000 + "}",
    ],
)
def test_any_way_of_writing_json_is_taken(arguments: str):
    assert act.signature.parse(arguments)["text"] in ("ü", "")


def test_the_words_nan_and_infinity_within_text_are_text():
    assert act.signature.parse('{"text":"NaN and Infinity"}') == {"text": "NaN and Infinity"}


def test_the_context_is_no_argument():
    @tool(effect="READ")
    def asks(a: int, context: ToolContext) -> None: ...

    assert asks.signature.context_name == "context"
    with pytest.raises(ArgumentsError):
        asks.signature.parse('{"a":1,"context":{}}')
