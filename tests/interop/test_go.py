"""A Go client, written from the generated stubs alone, with grpc-go's default limits."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.processes import ROOT
from tests.bench.services import Services, services
from tests.interop.tools import require

HERE = Path(__file__).parent
MODULE = "github.com/greenlight-run/greenlight"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generates the stubs and builds the client, outside the working tree."""
    folder = tmp_path_factory.mktemp("go")
    for name in ("go.mod", "go.sum", "client.go"):
        (folder / name).write_bytes((HERE / "go" / name).read_bytes())
    plugins = [
        {"local": [str(require(name))], "out": "gen/go", "opt": [f"module={MODULE}/gen/go"]}
        for name in ("protoc-gen-go", "protoc-gen-go-grpc")
    ]
    template = json.dumps({"version": "v2", "plugins": plugins})
    proto = ROOT / "proto"
    _run(folder, require("buf"), "generate", proto, "--path", proto / "greenlight", "--template", template, "-o", ".")
    _run(folder, require("go"), "vet", ".")
    _run(folder, require("go"), "build", "-o", "client", ".")
    return folder / "client"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with services(tmp_path_factory.mktemp("services"), toolbox=HERE / "toolbox.py") as running:
        yield running


@pytest.mark.timeout(300)
def test_a_watcher_that_is_cut_off_goes_on_without_a_gap_or_a_repeat(client: Path, pair: Services):
    seen = _scenario(client, pair, "cutoff")
    assert len(seen["before_cut"]) >= 20
    assert len(seen["after_cut"]) > 0
    assert seen["before_cut"] + seen["after_cut"] == seen["all"] == list(range(1, len(seen["all"]) + 1))
    assert (seen["state"], seen["succeeded"]) == ("BATCH_STATE_SUCCEEDED", 30)


@pytest.mark.timeout(300)
def test_a_thousand_large_results_come_through_the_default_limits(client: Path, pair: Services):
    seen = _scenario(client, pair, "large")
    text = 100 * 1024 + 2
    assert (seen["results"], seen["result_bytes"]) == (1000, 1000 * text)
    assert seen["largest_message"] <= 3 * 2**20
    assert seen["answers"] == 1000
    assert 900 < seen["omitted"] < 1000
    assert seen["one_result"] == text
    assert seen["state"] == "BATCH_STATE_SUCCEEDED"


def _scenario(client: Path, pair: Services, name: str) -> dict[str, Any]:
    return json.loads(_run(client.parent, client, pair.orchestrator_address, name))


def _run(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{command[0]} {command[1]}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout
