"""Untrusted text: nothing of it moves the cursor, colours, reorders or hides anything."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenlight_client.cli.sanitise import clean, clean_block, clean_line, indented_json, json_line, visible_json

_ACTING = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
_NASTY = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x1b[]0;m\x07\x9b\u202e\u2066\r\n\t\x00")))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jgone", "gone"),
        ("one\rtwo", "one two"),
        ("a\x00b\x08c", "abc"),
        ("abc\u202edef", "abcdef"),
        ("[bold]markup stays as text[/bold]", "[bold]markup stays as text[/bold]"),
        ("line\nline", "line line"),
        ("Zoë 株式", "Zoë 株式"),
    ],
)
def test_one_line(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_a_limit_is_said_to_be_one() -> None:
    assert clean("abcdefgh", 5) == "abcd…"
    assert clean("abcde", 5) == "abcde"


@given(_NASTY)
def test_nothing_that_acts_comes_through(text: str) -> None:
    for shown in (clean(text), clean_block(text)):
        assert all(
            char == "\n" or unicodedata.category(char) not in _ACTING or char in "\u200c\u200d" for char in shown
        )
    assert "\n" not in clean(text)


@given(_NASTY)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | _NASTY, lambda x: st.lists(x) | st.dictionaries(_NASTY, x))
)
def test_shown_json_is_the_same_json(value: object) -> None:
    for text in (json.dumps(value, ensure_ascii=False), json.dumps(value)):
        for shown in (visible_json(text), indented_json(text)):
            assert json.loads(shown) == value
            assert all(
                char == "\n" or unicodedata.category(char) not in _ACTING or char in "\u200c\u200d" for char in shown
            )


def test_numbers_stand_as_they_were_written() -> None:
    assert indented_json('{"a":1E+2,"b":9007199254740993,"c":[],"d":{}}') == (
        '{\n  "a": 1E+2,\n  "b": 9007199254740993,\n  "c": [],\n  "d": {}\n}'
    )


def test_json_on_one_line_stays_the_same_json() -> None:
    text = '{"a":\n "b\\nc\u202e",\r\n "d": "\u3164"}'
    assert json_line(text) == '{"a":  "b\\nc\\u202e",   "d": "\\u3164"}'


def test_what_looks_like_nothing_goes() -> None:
    assert clean("a\u3164\u115f\u2800\u034fb") == "ab"
    assert clean("\U0001f468\u200d\U0001f469") == "\U0001f468\u200d\U0001f469"


def test_a_line_of_a_log_keeps_its_indentation() -> None:
    assert clean_line('    File "x.py", line 3', 80) == '    File "x.py", line 3'
    assert clean_line("\t  \x1b[31m^^^^ \r", 80) == "      ^^^^"
    assert clean_line("    abcdef", 8) == "    abc…"
