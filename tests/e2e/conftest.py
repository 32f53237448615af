"""One pair of services for all tests of the command that need no other."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.pair import Pair, pair

_GREETING = """\
format: 1
name: greeting
version: "3"
description: Adds, and keeps a word.
parameters:
  properties: {word: {type: string}}
  required: [word]
agents:
  host:
    proposals:
      sum: {tool: add, arguments: {a: 1, b: 2}}
      memo: {tool: note, arguments: {text: {$param: word}}}
"""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pair]:
    """Tests use batches and sessions of their own in it. It has one template, `greeting`."""
    folder: Path = tmp_path_factory.mktemp("pair")
    templates = folder / "templates"
    templates.mkdir()
    (templates / "greeting.yaml").write_text(_GREETING)
    with pair(folder, "--templates", str(templates)) as running:
        yield running
