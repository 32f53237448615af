from typing import Any

import pytest
import yaml

from orchestrator_svc.adapters.templates import yaml as adapter
from orchestrator_svc.adapters.templates.yaml import read_yaml
from shared.kernel.errors import InvalidError


@pytest.fixture(params=[yaml.SafeLoader, yaml.CSafeLoader], ids=["python", "c"], autouse=True)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers, so that it does not matter which one is installed."""
    monkeypatch.setattr(adapter, "_Loader", request.param)


def refusal(text: str) -> tuple[str, str]:
    with pytest.raises(InvalidError) as raised:
        read_yaml(text)
    assert raised.value.reason == "TEMPLATE_INVALID"
    [violation] = raised.value.violations
    return violation.field, violation.description


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-12", -12),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("1.5", 1.5),
        ("1e5", 1e5),
        ("-1.5E-3", -1.5e-3),
        ("hello there", "hello there"),
        ("1.2.3", "1.2.3"),
        ("2000-01", "2000-01"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("y", "y"),
        ("'no'", "no"),
        ('"2020-01-01"', "2020-01-01"),
        ('""', ""),
        ('"\\u00e4"', "ä"),
        ("[1, [2, {a: 3}]]", [1, [2, {"a": 3}]]),
        ('{"json": ["is", "yaml", 1e3]}', {"json": ["is", "yaml", 1000.0]}),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        (">-\n  one\n  line\n", "one line"),
        ("[]", []),
        ("{}", {}),
    ],
)
def test_values_are_those_of_json(text: str, value: Any):
    document = read_yaml(f"value: {text}\nafter: 1\n")
    assert document.value == {"value": value, "after": 1}
    assert type(document.value["value"]) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "No", "ON", "off", "True", "FALSE", "Null", "~"),
        *("2020-01-01", "2020-1-1", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43", "12:30:45", "1:30.5"),
        *(
            "010",
            "0x1F",
            "0o17",
            "0b11",
            "1_000",
            "+1",
            ".5",
            "5.",
            "+.5e3",
            ".inf",
            "-.INF",
            ".NaN",
            "=",
            "<<",
            "-0_1",
        ),
    ],
)
def test_what_one_yaml_reads_so_and_another_so_is_refused(text: str):
    field, description = refusal(f"a:\n  b: {text}\n")
    assert field == "a.b"
    assert "without quotes" in description
    assert f'"{text}"' in description
    assert description.endswith("(line 2)")


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("", "", "empty"),
        ("# only a comment", "", "empty"),
        ("a:\nb: 1", "a", "an empty value"),
        ("a: [1, ]\nb: [x,\n ,]", "", "not YAML"),
        ("a: 1\nb: 2\na: 3", "a", "stands twice in one mapping"),
        ("a: {b: {c: 1, c: 2}}", "a.b.c", "stands twice in one mapping"),
        ("a: &x 1", "a", "an anchor (&x)"),
        ("a: &x [1]\nb: *x", "a", "an anchor (&x)"),
        ("a: *x", "a", "an alias (*x)"),
        ("a: {<<: {b: 1}}", "a", "<<"),
        ("a: !!python/object/apply:os.system [x]", "a", "a tag"),
        ("a: !!str 1", "a", "a tag"),
        ("a: ! 1", "a", "a tag"),
        ("a: !!binary aGk=", "a", "a tag"),
        ("%YAML 1.1\n---\na: 1", "", "a directive"),
        ("%TAG ! tag:example.com,2000:\n---\na: 1", "", "a directive"),
        ("a: 1\n---\nb: 2", "", "a second document"),
        ("a: b: c", "", "not YAML"),
        ("a:\n\tb: 1", "", "not YAML"),
        ('a: "b', "", "not YAML"),
        ("a: \x07", "", "not YAML"),
        ('a: "\\q"', "", "not YAML"),
        ("1: a", "", "the key 1 is no text"),
        ("a: {true: 1}", "a", "the key True is no text"),
        ("? [a]\n: 1", "", "as a key"),
        ("? {a: 1}\n: 1", "", "as a key"),
        ("a: 1e400", "a", "too large for a double"),
        ("a: " + "9" * 1001, "a", "more than 1,000 digits"),
        ("a: -" + "9" * 1001, "a", "more than 1,000 digits"),
        ("a: \ud800", "", "lone surrogate"),
        ("a: " + "[" * 100_000, "", "deeper than 72"),
        ("{a: " * 100_000, "", "deeper than 72"),
        ("- " * 500, "", "deeper than 72"),
        ("a: " + "x" * (1 << 20), "", "larger than 1,048,576 bytes"),
        ("a: " + "ä" * (1 << 19), "", "larger than 1,048,576 bytes"),
    ],
)
def test_what_is_refused_and_where(text: str, field: str, said: str):
    found_field, description = refusal(text)
    assert found_field == field
    assert said in description


def test_an_escaped_surrogate_is_refused():
    assert refusal('a: "\\ud800"')[0] == ""


def test_the_depth_that_is_allowed_is_read():
    value = read_yaml("a: " + "[" * 71 + "]" * 71).value["a"]
    for _ in range(70):
        [value] = value
    assert value == []


def test_lines_are_those_of_the_nearest_key():
    document = read_yaml("a:\n  b:\n    - c: 1\n      d: 2\n\n  e: {f: 3}\n")
    assert document.line_of(("a",)) == 1
    assert document.line_of(("a", "b", 0, "d")) == 4
    assert document.line_of(("a", "b", 0, "missing")) == 2
    assert document.line_of(("a", "e", "f")) == 6
    assert document.line_of(("x",)) is None
    assert document.line_of(()) is None
