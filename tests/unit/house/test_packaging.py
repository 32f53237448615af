"""Holds the packaging files together: bounds, locks, generator versions, make targets."""

import ast
import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
NAME = re.compile(r"^([A-Za-z0-9._-]+)(\[[a-z,]+\])?")


def _project(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["project"]


def _dependencies(path: str) -> list[str]:
    return list(_project(path)["dependencies"])


def _input(name: str) -> set[str]:
    lines = (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith(("#", "-"))}


def _locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ \\]+)", text, flags=re.MULTILINE))


@pytest.mark.parametrize("path", ["pyproject.toml", "clients/python/pyproject.toml"])
def test_every_dependency_is_in_the_runtime_requirements_with_the_same_bound(path: str) -> None:
    declared = {item for item in _dependencies(path) if not item.startswith("greenlight-client")}
    assert declared <= _input("runtime")


def test_the_runtime_requirements_hold_nothing_but_dependencies_and_the_build_backend() -> None:
    declared = {item for path in ("pyproject.toml", "clients/python/pyproject.toml") for item in _dependencies(path)}
    driver = _project("pyproject.toml")["optional-dependencies"]["postgresql"]
    assert _input("runtime") - declared == {"hatchling>=1.27", *driver}, "the image has PostgreSQL's driver"


@pytest.mark.parametrize(
    ("path", "folders"),
    [
        ("pyproject.toml", ["orchestrator_svc", "executor_svc", "shared"]),
        ("clients/python/pyproject.toml", ["clients/python", "proto/gen"]),
    ],
)
def test_every_dependency_is_imported_by_what_ships(path: str, folders: list[str]) -> None:
    """What only tests use belongs into the developers' requirements."""
    imported = {name for folder in folders for name in _imported(ROOT / folder)}
    names = [match[1] for item in _dependencies(path) if (match := NAME.match(item))]
    by_name = {"greenlight-client", "aiosqlite"}  # the other distribution here; and SQLAlchemy's, by the engine's URL
    assert [name for name in names if name not in by_name and not _modules(name) & imported] == []


def _imported(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names):
                    found |= {name.name for name in names}
                case ast.ImportFrom(module, names) if module:
                    found |= {module, *(f"{module}.{name.name}" for name in names)}
                case _:
                    pass
    return found


def _modules(distribution: str) -> set[str]:
    """Dotted names, of extension modules too."""
    files = importlib.metadata.files(distribution) or []
    paths = [file.parent if file.name.startswith("__init__.") else file for file in files]
    return {".".join([*path.parent.parts, path.name.partition(".")[0]]) for path in paths}


def test_the_services_pin_the_client_of_their_own_version() -> None:
    client = _project("clients/python/pyproject.toml")
    assert f"greenlight-client=={client['version']}" in _dependencies("pyproject.toml")
    assert client["version"] == _project("pyproject.toml")["version"]


def test_code_is_generated_with_the_oldest_versions_that_are_allowed() -> None:
    oldest = dict(item.split(">=") for item in _dependencies("pyproject.toml") if ">=" in item)
    assert _locked("dev")["grpcio-tools"] == oldest["grpcio"]
    generated = ROOT / "proto" / "gen" / "greenlight" / "executor" / "v1"
    stub = (generated / "executor_pb2_grpc.py").read_text(encoding="utf-8")
    assert f"GRPC_GENERATED_VERSION = '{oldest['grpcio']}'" in stub
    message = (generated / "executor_pb2.py").read_text(encoding="utf-8")
    written = re.search(r"^# Protobuf Python Version: (\S+)$", message, flags=re.MULTILINE)
    assert written is not None
    assert _numbers(written[1]) <= _numbers(oldest["protobuf"])


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_the_development_lock_repeats_the_runtime_lock() -> None:
    assert _locked("runtime").items() <= _locked("dev").items()


@pytest.mark.parametrize("lock", ["runtime.txt", "dev.txt"])
def test_a_lock_has_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|find-links|index-url", text)
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=[a-z0-9])", text)[1:])


def test_the_type_checkers_lock_has_integrity_and_no_address() -> None:
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    assert '"integrity"' in text
    assert "resolved" not in text


def test_every_make_target_is_explained() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.findall(r"^\.PHONY: (\S+)$", text, flags=re.MULTILINE))
    explained = set(re.findall(r"^([a-z][a-z0-9-]*):.* ## \S", text, flags=re.MULTILINE))
    assert phony == explained


def test_ci_calls_only_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    levels = re.findall(r"^level (.+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), flags=re.MULTILINE)
    called = [target for level in levels for target in level.split() if "=" not in target]
    assert called[0] == "test"
    assert {"types", "wheels", "test-postgresql", "chaos", "interop", "services"} <= {*called}
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in called)
