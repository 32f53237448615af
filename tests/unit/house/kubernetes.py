"""Reads deploy/kubernetes: what kustomization.yaml lists, by kind and name."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.unit.house.documents import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
SCHEMAS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "kubernetes_schemas" / "definitions.json").read_text(encoding="utf-8")
)
Manifest = dict[str, Any]


def kustomization() -> Manifest:
    return yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))


def manifests() -> list[Manifest]:
    texts = [(FOLDER / name).read_text(encoding="utf-8") for name in kustomization()["resources"]]
    return [found for text in texts for found in yaml.safe_load_all(text)]


def named(found: Manifest) -> str:
    """`Service/executor`."""
    return f"{found['kind']}/{found['metadata']['name']}"


def schema(found: Manifest) -> Manifest:
    """Of its kind, strict: a field that Kubernetes does not know is an error."""
    definition = SCHEMAS["kinds"][f"{found['apiVersion']} {found['kind']}"]
    return {"$ref": f"#/$defs/{definition}", "$defs": SCHEMAS["$defs"]}


def probes(container: Manifest) -> Iterator[tuple[str, Manifest]]:
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        yield name, container[name]["grpc"]
