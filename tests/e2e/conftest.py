"""One pair of services for all tests of the command that need no other."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.pair import Pair, pair


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pair]:
    """Tests use batches and sessions of their own in it."""
    folder: Path = tmp_path_factory.mktemp("pair")
    with pair(folder) as running:
        yield running
