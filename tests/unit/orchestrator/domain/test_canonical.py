"""Canonical JSON: RFC 8785, but that integers stay exactly as they are; what is refused, and what is digested."""

import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_svc.domain.canonical import MAX_DEPTH, JsonError, canonical, number, parse, write
from orchestrator_svc.domain.digest import call_digest, idempotency_key
from orchestrator_svc.domain.tool import ToolKey

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SAFE = st.integers(-(2**53) + 1, 2**53 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | SAFE | FLOATS | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


@settings(max_examples=400, deadline=None)
@given(VALUES, st.booleans())
def test_it_is_rfc_8785(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert canonical(text)[1].encode() == rfc8785.dumps(json.loads(text))


@settings(max_examples=400, deadline=None)
@given(FLOATS)
def test_doubles_are_written_as_ecmascript_does(value: float) -> None:
    assert number(value).encode() == rfc8785.dumps(value)
    assert float(number(value)) == value or value == 0


@settings(max_examples=200, deadline=None)
@given(st.integers() | st.integers(-(10**100), 10**100))
def test_integers_stay_exactly(value: int) -> None:
    assert canonical(f'{{"x": {value}}}')[1] == f'{{"x":{value}}}'


@pytest.mark.parametrize("sign", ["", "-"])
def test_integers_have_up_to_a_thousand_digits(sign: str) -> None:
    most = sign + "9" * 1000
    assert canonical(most)[1] == most
    with pytest.raises(JsonError, match="more than 1,000 digits; send it as a string"):
        canonical(most + "9")


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_it_is_a_fixed_point(value: Any) -> None:
    text = canonical(json.dumps(value))[1]
    assert canonical(text)[1] == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-0", "0"),
        ("-0.0", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("1E21", "1e+21"),
        ("1e-7", "1e-7"),
        ("0.000001", "0.000001"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("9007199254740993", "9007199254740993"),
        ('{"b":1,"a":2}', '{"a":2,"b":1}'),
        ('"\\u0041\\/"', '"A/"'),
        ('{"\\ud83d\\ude00":1,"\\ufb33":2}', '{"\U0001f600":1,"\ufb33":2}'),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert canonical(text)[1] == expected


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "Infinity", "-Infinity", '{"x":NaN}', "1e400", "-1e400", '{"a":1,"a":1}', '{"a":{"b":1,"b":2}}',
        '{"a":1,"\\u0061":2}', '"\\ud800"', '{"\\udc00":1}', '["\\ud800x"]', "", "{", "[1,]", "{'a':1}", "01", "1 2",
        '"\n"', "\ufeff{}", "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), '{"a":' * 100_000, "[" * 1_000_000,
        "1" * 1001,
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(JsonError) as caught:
        canonical(text)
    assert str(caught.value)


def test_depth_counts_no_brackets_inside_strings() -> None:
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert canonical(deepest)[1] == deepest
    many = json.dumps({"x": "[{" * 500, "y": '\\"[' * 50})
    assert json.loads(canonical(many)[1]) == json.loads(many)


def test_the_plain_way_is_taken_only_where_it_writes_the_same() -> None:
    for text in ('{"a":[1,true,null,"x"]}', '{"a":1.5}', '{"a":"\\u00e9"}', '{"a":123456789012345678901}'):
        value, plain = parse(text)
        assert write(value, plain=plain) == write(value)


def test_threads_do_not_disturb_each_other() -> None:
    floats, integers = json.dumps([1e16] * 5000), json.dumps([1] * 5000)

    def plain_of(text: str) -> set[bool]:
        return {parse(text)[1] for _ in range(30)}

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(plain_of, [floats, integers] * 4))
    assert found == [{False}, {True}] * 4


def test_the_digest_is_over_tool_version_and_exact_bytes() -> None:
    tool = ToolKey("pay", "1.2")
    expected = sha256('greenlight.call.v1\npay\n1.2\n{"x":"é"}'.encode()).hexdigest()
    assert call_digest(tool, '{"x":"é"}') == f"sha256:{expected}"
    others = [(ToolKey("pay", "1.3"), "{}"), (ToolKey("paid", "1.2"), "{}"), (tool, "{ }"), (tool, "{}")]
    assert len({call_digest(key, arguments) for key, arguments in others}) == 4


def test_the_idempotency_key_follows_what_runs_and_whose_it_is() -> None:
    keys = {
        idempotency_key(tenant, proposal, digest)
        for tenant in ("a", "b")
        for proposal in ("1/x", "2/x")
        for digest in ("sha256:0", "sha256:1")
    }
    assert len(keys) == 8
    assert all(len(key) == 64 and math.isfinite(int(key, 16)) for key in keys)
    assert idempotency_key("a", "1/x", "sha256:0") == sha256(b"a\n1/x\nsha256:0").hexdigest()


def test_what_it_writes_with_is_there_once_it_is_imported() -> None:
    """The engine may have no descriptor left to read a codec from its file."""
    program = """if True:
        import resource
        from orchestrator_svc.domain import canonical
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
        print(canonical.write({"b": 1.5, "\\u00e4": [2], "a": canonical.Written("{}")}))
    """
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, '{"a":{},"b":1.5,"ä":[2]}'), ran.stderr
