"""Holds deploy/kubernetes against Kubernetes' schemas, and against the settings and the image that the code has."""

import os
import re
from pathlib import PurePosixPath
from typing import Any

import jsonschema_rs
import pytest

import executor_svc.settings
import orchestrator_svc.settings
from examples.research_stock.settings import Settings as ExampleSettings
from executor_svc.api.servicer import SERVICE as EXECUTOR_SERVICE
from orchestrator_svc.adapters.observer.telemetry import TelemetryObserver
from orchestrator_svc.api.servicer import SERVICE_NAME as ORCHESTRATOR_SERVICE
from shared.kernel.clock import SystemClock
from shared.runtime.health import SERVICE_NAME as HEALTH
from shared.runtime.telemetry.meters import Meters
from tests.unit.house import containers, kubernetes
from tests.unit.house.kubernetes import Manifest

ALL = {kubernetes.named(found): found for found in kubernetes.manifests()}
IMAGE = containers.image()
WORKLOADS = {"orchestrator": ALL["Deployment/orchestrator"], "executor": ALL["StatefulSet/executor"]}
SERVICES = {"orchestrator": ORCHESTRATOR_SERVICE, "executor": EXECUTOR_SERVICE}
SETTINGS: dict[str, type[Any]] = {
    "orchestrator": orchestrator_svc.settings.Settings,
    "executor": executor_svc.settings.Settings,
}
STORE = "postgresql+asyncpg://greenlight:word@db:5432/greenlight"
OURS = pytest.mark.parametrize("service", sorted(WORKLOADS))
EXAMPLE_VARIABLE = "RESEARCH_STOCK_"


def _pod(service: str) -> Manifest:
    return WORKLOADS[service]["spec"]["template"]


def _container(service: str) -> Manifest:
    (container,) = _pod(service)["spec"]["containers"]
    return container


def _environment(service: str) -> dict[str, str]:
    """Of the image, the ConfigMap, and the Secret."""
    found = dict(IMAGE.environment)
    for source in _container(service)["envFrom"]:
        found |= ALL[f"ConfigMap/{source['configMapRef']['name']}"]["data"]
    for variable in _container(service).get("env", []):
        assert variable["valueFrom"]["secretKeyRef"] == {"name": "greenlight-store", "key": variable["name"]}
        found[variable["name"]] = STORE
    return found


def _read(service: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for variable in [*os.environ]:
        if variable.startswith(("GREENLIGHT_", "OTEL_")):
            monkeypatch.delenv(variable)
    for variable, value in _environment(service).items():
        if variable != "PATH":
            monkeypatch.setenv(variable, value)
    return SETTINGS[service]()


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


@pytest.mark.parametrize("name", sorted(ALL))
def test_it_is_what_kubernetes_takes(name: str) -> None:
    validator = jsonschema_rs.Draft202012Validator(kubernetes.schema(ALL[name]))
    assert [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(ALL[name])] == []


def test_the_schemas_find_what_is_wrong() -> None:
    wrong = {**ALL["Service/executor"], "spec": {"selectors": {}}}
    assert not jsonschema_rs.Draft202012Validator(kubernetes.schema(wrong)).is_valid(wrong)


def test_every_file_is_listed() -> None:
    files = {path.name for path in kubernetes.FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert {*kubernetes.kustomization()["resources"]} == files
    assert len(ALL) == len(kubernetes.manifests()), "no two of one kind and name"


@OURS
def test_every_variable_is_one_that_the_service_reads(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name for name in _environment(service) if name not in IMAGE.environment}
    assert {name for name in given if not name.startswith(EXAMPLE_VARIABLE)} <= containers.variables(SETTINGS[service])
    _read(service, monkeypatch)


def test_the_store_alone_is_in_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one["name"] for one in _container("orchestrator")["env"]] == ["GREENLIGHT_STORE"]
    assert "env" not in _container("executor")
    assert _read("orchestrator", monkeypatch).store.get_secret_value() == STORE
    readme = (kubernetes.FOLDER / "README.md").read_text(encoding="utf-8")
    assert "create secret generic greenlight-store" in readme
    assert "--from-literal=GREENLIGHT_STORE=" in readme


@OURS
def test_ports_and_probes_are_those_that_it_listens_on(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listen = _read(service, monkeypatch).listen
    assert listen.rpartition(":")[0] == "0.0.0.0"
    assert _container(service)["ports"] == [{"name": "grpc", "containerPort": _port(listen)}]
    probes = dict(kubernetes.probes(_container(service)))
    assert {probe["port"] for probe in probes.values()} == {_port(listen)}
    assert probes["readinessProbe"]["service"] == SERVICES[service], "not while it drains"
    assert probes["livenessProbe"]["service"] == probes["startupProbe"]["service"] == HEALTH, "as long as it answers"
    (port,) = ALL[f"Service/{service}"]["spec"]["ports"]
    assert port == {"name": "grpc", "port": _port(listen), "targetPort": "grpc"}


@OURS
def test_the_command_starts_the_service_of_the_image(service: str) -> None:
    assert _container(service)["command"] == ["python", "-m", f"{service}_svc"]
    images = [image["name"] for image in kubernetes.kustomization()["images"]]
    assert [_container(service)["image"]] == images


@OURS
def test_a_name_stands_for_every_pod_that_is_ready(service: str) -> None:
    spec = ALL[f"Service/{service}"]["spec"]
    assert spec["clusterIP"] == "None"
    assert "publishNotReadyAddresses" not in spec


def test_the_orchestrators_look_the_executors_up_by_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    (address,) = _read("orchestrator", monkeypatch).executors
    assert address == f"executor:{_port(_read('executor', monkeypatch).listen)}"
    assert WORKLOADS["executor"]["spec"]["serviceName"] == "executor"


@OURS
def test_whatever_selects_pods_selects_these(service: str) -> None:
    labels = _pod(service)["metadata"]["labels"]
    spread = _pod(service)["spec"]["topologySpreadConstraints"]
    selectors = [
        ALL[f"Service/{service}"]["spec"]["selector"],
        WORKLOADS[service]["spec"]["selector"]["matchLabels"],
        ALL[f"PodDisruptionBudget/{service}"]["spec"]["selector"]["matchLabels"],
        ALL[f"NetworkPolicy/{service}"]["spec"]["podSelector"]["matchLabels"],
        *(one["labelSelector"]["matchLabels"] for one in spread),
    ]
    assert all(selector == labels for selector in selectors)
    assert len(selectors) > 4


def test_nobody_but_the_orchestrators_reaches_the_executors() -> None:
    (rule,) = ALL["NetworkPolicy/executor"]["spec"]["ingress"]
    (source,) = rule["from"]
    assert source["podSelector"]["matchLabels"] == _pod("orchestrator")["metadata"]["labels"]
    (egress, *_) = ALL["NetworkPolicy/orchestrator"]["spec"]["egress"]
    assert egress["to"][0]["podSelector"]["matchLabels"] == _pod("executor")["metadata"]["labels"]
    assert egress["ports"][0]["port"] == _container("executor")["ports"][0]["containerPort"]


@OURS
def test_it_is_not_killed_before_it_has_drained(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = 0.0
    if "lifecycle" in _container(service):
        program, seconds = _container(service)["lifecycle"]["preStop"]["exec"]["command"]
        assert program == "sleep"
        before = float(seconds)
    whole = before + _read(service, monkeypatch).drain_grace
    assert _pod(service)["spec"]["terminationGracePeriodSeconds"] >= whole + 10


def test_clients_hear_that_an_orchestrator_leaves_before_it_drains() -> None:
    assert "preStop" in _container("orchestrator")["lifecycle"]


@OURS
def test_one_at_a_time_is_taken_away(service: str) -> None:
    assert ALL[f"PodDisruptionBudget/{service}"]["spec"]["maxUnavailable"] == 1
    assert WORKLOADS[service]["spec"]["replicas"] >= 2
    assert WORKLOADS["orchestrator"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@OURS
def test_every_mount_has_a_volume_and_the_other_way_round(service: str) -> None:
    mounts = {mount["name"] for mount in _container(service)["volumeMounts"]}
    claims = [claim["metadata"]["name"] for claim in WORKLOADS[service]["spec"].get("volumeClaimTemplates", [])]
    volumes = [volume["name"] for volume in _pod(service)["spec"]["volumes"]]
    assert mounts == {*claims, *volumes}
    assert len(mounts) == len(claims) + len(volumes)


def test_the_journal_is_on_a_volume_of_the_executors_own(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {mount["mountPath"]: mount["name"] for mount in _container("executor")["volumeMounts"]}
    (claim,) = WORKLOADS["executor"]["spec"]["volumeClaimTemplates"]
    assert paths[_read("executor", monkeypatch).data.as_posix()] == claim["metadata"]["name"]
    assert set(claim["spec"]["accessModes"]) <= {"ReadWriteOnce", "ReadWriteOncePod"}
    assert {*WORKLOADS["executor"]["spec"]["persistentVolumeClaimRetentionPolicy"].values()} == {"Retain"}


def test_whatever_is_written_may_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written = {_read("executor", monkeypatch).data, ExampleSettings.read(_environment("executor")).out}
    mounts = {PurePosixPath(mount["mountPath"]) for mount in _container("executor")["volumeMounts"]}
    assert {PurePosixPath(path) for path in written} <= mounts
    assert _pod("executor")["spec"]["securityContext"]["fsGroup"] == int(IMAGE.user.partition(":")[2])


@OURS
def test_it_runs_as_the_images_user_with_no_rights_at_all(service: str) -> None:
    user, group = map(int, IMAGE.user.split(":"))
    pod, own = _pod(service)["spec"]["securityContext"], _container(service)["securityContext"]
    assert (pod["runAsNonRoot"], pod["runAsUser"], pod["runAsGroup"]) == (True, user, group)
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert _pod(service)["spec"]["serviceAccountName"] == service
    assert ALL[f"ServiceAccount/{service}"]["automountServiceAccountToken"] is False
    assert _pod(service)["spec"]["enableServiceLinks"] is False, "else a Service could set a variable of ours"


def test_the_autoscaler_looks_at_a_metric_that_there_is() -> None:
    meters = Meters()
    TelemetryObserver(None, meters, SystemClock())  # type: ignore[arg-type]
    exported = {metric.name.replace(".", "_") for metric in meters.collect(0, 1)}
    spec = ALL["HorizontalPodAutoscaler/executor"]["spec"]
    (metric,) = spec["metrics"]
    assert metric["external"]["metric"]["name"] in exported
    target = WORKLOADS["executor"]
    assert spec["scaleTargetRef"] == {"apiVersion": target["apiVersion"], "kind": target["kind"], "name": "executor"}
    assert spec["minReplicas"] == target["spec"]["replicas"]
    readme = (kubernetes.FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"metricsQuery: sum({metric['external']['metric']['name']})" in readme


def test_it_aims_at_half_of_the_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    (metric,) = ALL["HorizontalPodAutoscaler/executor"]["spec"]["metrics"]
    assert int(metric["external"]["target"]["averageValue"]) * 2 == _read("executor", monkeypatch).slots


def test_the_readme_names_every_file_and_the_clients_target() -> None:
    readme = (kubernetes.FOLDER / "README.md").read_text(encoding="utf-8")
    namespace = kubernetes.kustomization()["namespace"]
    assert f"dns:///orchestrator.{namespace}.svc:{_container('orchestrator')['ports'][0]['containerPort']}" in readme
    assert namespace == ALL["Namespace/greenlight"]["metadata"]["name"]
    listed = set(re.findall(r"^\| `([a-z]+\.yaml)` \|", readme, re.MULTILINE))
    assert listed == {*kubernetes.kustomization()["resources"]} - {"namespace.yaml"}
