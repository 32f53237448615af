"""Every relative link of every document leads to something that is there."""

from pathlib import Path

import pytest

from tests.unit.house.documents import ROOT, anchors, files, links

FILES = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in files()]


@pytest.mark.parametrize("path", FILES)
def test_every_relative_link_resolves(path: Path):
    broken = [link for link in links(path.read_text(encoding="utf-8")) if not resolves(path, link)]
    assert broken == []


def resolves(path: Path, link: str) -> bool:
    if "://" in link or link.startswith("mailto:"):
        return True
    name, _, fragment = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not fragment or fragment in anchors(target.read_text(encoding="utf-8"))


def test_links_are_found_and_code_is_none():
    text = "[a](b.md) `[c](d.md)`\n```\n[e](f.md)\n```\n[`g`](<h.md>), ![i](j.png)\n\n[k]: l.md\n"
    assert links(text) == ["b.md", "h.md", "j.png", "l.md"]


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path):
    here = ROOT / "README.md"
    assert resolves(here, "Makefile")
    assert resolves(here, "https://example.com/nothing")
    assert not resolves(here, "docs/no_such_file.md")
    assert not resolves(here, "../elsewhere")


def test_headings_have_the_fragments_that_renderers_give_them():
    assert anchors("# A `b` c?\n## A [b](c) d\n## A b c\n") == {"a-b-c", "a-b-d", "a-b-c-1"}
