"""The example's notes and reports on disk."""

from pathlib import Path

import pytest

from examples.research_stock import writing
from greenlight_tool import KnownEffect, Permanent, Unavailable
from tests.unit.examples.research import MARKDOWN_FILES, Desktop, settings


async def test_a_note_is_written_again_under_the_same_name(desktop: Desktop, tmp_path: Path):
    first = await desktop.use("save_note", {"title": "IBM", "text": "one"}, attempt=1)
    again = await desktop.use("save_note", {"title": "IBM", "text": "one"}, attempt=2)
    assert first == again
    assert Path(first["path"]).read_text(encoding="utf-8") == "# IBM\n\none\n"
    other = await desktop.use("save_note", {"title": "IBM", "text": "two"}, idempotency_key="other")
    assert other["path"] != first["path"]
    assert len(list((tmp_path / "notes").glob(MARKDOWN_FILES))) == 2


async def test_a_report_is_published_once(desktop: Desktop):
    first = await desktop.use("publish_report", {"title": "IBM", "markdown": "one"})
    with pytest.raises(Permanent) as raised:
        await desktop.use("publish_report", {"title": "IBM", "markdown": "two"})
    assert (raised.value.effect, raised.value.reason) == (KnownEffect.NONE, "ALREADY_PUBLISHED")
    assert Path(first["path"]).read_text(encoding="utf-8") == "one"
    assert [file.suffix for file in Path(first["path"]).parent.iterdir()] == [".md"]


async def test_tenants_have_folders_of_their_own(desktop: Desktop, tmp_path: Path):
    for tenant in ("acme", "..", ".", "a.b"):
        written = await desktop.use("publish_report", {"title": "IBM", "markdown": "x"}, tenant=tenant)
        assert Path(written["path"]).parent == tmp_path / "reports" / f"tenant-{tenant}"


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    desktop = Desktop(settings(tmp_path / "file"))
    for tool, arguments in [
        ("publish_report", {"title": "t", "markdown": "m"}),
        ("save_note", {"title": "t", "text": "m"}),
    ]:
        with pytest.raises(Unavailable, match="cannot write"):
            await desktop.use(tool, arguments)


@pytest.mark.parametrize(
    "title", ["../../etc/passwd", "a/b\\c", "\x00", "ü" * 200, "CON", "-", "x" * 200, "Apple (AAPL)"]
)
def test_file_names_are_safe_whatever_the_title(title: str):
    name = writing.safe_name(title, "unique")
    assert Path(name).name == name
    assert len(name) < 100
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert name.count(".") == 1
    assert name != writing.safe_name(title, "another")
