"""docs/troubleshooting.md speaks of reasons and states that the code has."""

import re

import pytest

from tests.unit.house.documents import ROOT

TEXT = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
WORDS = sorted(set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", TEXT)))
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("orchestrator_svc", "executor_svc", "shared", "clients/python", "proto/greenlight")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".proto")
)


@pytest.mark.parametrize("word", [word for word in WORDS if not word.startswith("GREENLIGHT_")])
def test_the_code_has_the_word(word: str):
    assert re.search(rf"\b{word}\b", SOURCES) or word in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize("variable", sorted(set(re.findall(r"\bGREENLIGHT_[A-Z_]+\b", TEXT))))
def test_the_setting_is_listed(variable: str):
    assert f"`{variable}`" in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
