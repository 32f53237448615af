from pathlib import Path

import pytest

from tests.unit.examples.research import Desktop, settings


@pytest.fixture
def desktop(tmp_path: Path) -> Desktop:
    """The example's tools, writing into a folder of the test's."""
    return Desktop(settings(tmp_path))
