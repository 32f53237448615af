"""docs/durability.md and docs/bugs.md name tests that are there; each promise has one at least."""

import re
from pathlib import Path

import pytest

from tests.unit.house.documents import ROOT, rows

_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_PATH = re.compile(r"\btests/[\w/.]*\w")


@pytest.mark.parametrize(("name", "column"), [("durability.md", 2), ("bugs.md", 2)])
def test_every_row_is_held_by_a_test_that_is_there(name: str, column: int) -> None:
    table = rows((ROOT / "docs" / name).read_text(encoding="utf-8"))
    assert table
    for row in table:
        named = _TEST.findall(row[column])
        assert named, row[0]
        for path, test in named:
            assert has(ROOT / path, test), f"{row[0]}: {path}::{test}"


@pytest.mark.parametrize("name", ["durability.md", "bugs.md"])
def test_every_test_and_file_that_is_named_is_there(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for path, test in re.findall(r"(tests/[\w/]+\.py)::(\w*)", text):
        assert has(ROOT / path, test), f"{path}::{test}"
    for path in _PATH.findall(text):
        assert (ROOT / path).exists(), path


def has(path: Path, test: str) -> bool:
    return path.is_file() and re.search(rf"def {test}\(", path.read_text(encoding="utf-8")) is not None


def test_a_test_that_is_not_there_is_seen() -> None:
    assert has(Path(__file__), "test_a_test_that_is_not_there_is_seen")
    assert not has(Path(__file__), "test_of_nothing")
    assert not has(ROOT / "tests" / "nothing.py", "test_of_nothing")
