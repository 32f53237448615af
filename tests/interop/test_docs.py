"""Every command of the documents is run, and prints what they say it prints."""

from pathlib import Path

import pytest

from tests.bench.processes import ROOT
from tests.interop.console import commands, same, sections, shape
from tests.interop.documented import console
from tests.interop.tools import require

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SECTIONS = [
    pytest.param(section, id=f"{path.name}-{number}")
    for path in DOCUMENTS
    if path.exists()
    for number, section in enumerate(sections(path.read_text(encoding="utf-8")), 1)
]


@pytest.mark.parametrize("section", SECTIONS)
def test_the_commands_print_what_is_written(section: str, tmp_path: Path):
    require("grpcurl")
    with console(tmp_path) as session:
        for command in commands(section):
            printed = session.run(command)
            if not same(command.output, printed):
                assert shape(printed) == shape(command.output), f"$ {command.text}"
