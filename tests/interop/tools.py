"""Programs that are no part of the project; a missing one is a failure that says how to get it."""

import shutil
from pathlib import Path

import pytest

from tests.bench.processes import ROOT

HINTS = {"go": "install Go 1.26 or newer from https://go.dev/dl", "buf": "make setup-dev"}


def require(name: str) -> Path:
    for place in (ROOT / ".tools" / name, ROOT / ".venv" / "bin" / name):
        if place.exists():
            return place
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing: {HINTS.get(name, 'make tools')}")
    return Path(found)
