"""What `make up-scaled` says where there is no PostgreSQL."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.unit.house.documents import ROOT


@pytest.fixture
def module() -> Any:
    spec = importlib.util.spec_from_file_location("scaled_postgresql", ROOT / "tools" / "scaled_postgresql.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_what_to_install_is_said(module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(module.PostgresError, match="apt-get install postgresql"):
        module.programs(tmp_path)


def test_of_several_the_newest_is_taken(module: Any, tmp_path: Path) -> None:
    for version in ("9", "15", "13"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    assert module.programs(tmp_path) == tmp_path / "15" / "bin"
