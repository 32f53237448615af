"""Holds docker-compose.yml and the Dockerfile against the settings and modules that the code really has."""

import importlib.util
import os
import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest

import executor_svc.settings
import orchestrator_svc.settings
from examples.research_stock.settings import Settings as ExampleSettings
from orchestrator_svc.adapters.store.postgresql_engines import parse_url
from tests.unit.house import containers

COMPOSE = containers.compose()
IMAGE = containers.image()
SETTINGS: dict[str, type[Any]] = {
    "orchestrator": orchestrator_svc.settings.Settings,
    "executor": executor_svc.settings.Settings,
}
OURS = pytest.mark.parametrize("service", sorted(SETTINGS))
EXAMPLE_VARIABLE = "RESEARCH_STOCK_"


def _service(name: str) -> dict[str, Any]:
    return COMPOSE["services"][name]


def _environment(name: str) -> dict[str, str]:
    return {**IMAGE.environment, **_service(name)["environment"]}


def _read(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The settings as the code reads them within the container."""
    for variable in [*os.environ]:
        if variable.startswith(("GREENLIGHT_", "OTEL_")):
            monkeypatch.delenv(variable)
    for variable, value in _environment(name).items():
        if variable != "PATH":
            monkeypatch.setenv(variable, value)
    return SETTINGS[name]()


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


@OURS
def test_every_variable_of_a_service_is_one_that_it_reads(service: str) -> None:
    known = containers.variables(SETTINGS[service])
    given = {name for name in _service(service)["environment"] if not name.startswith(EXAMPLE_VARIABLE)}
    assert given <= known


def test_every_variable_of_the_image_is_read_by_a_service() -> None:
    known = {name for settings in SETTINGS.values() for name in containers.variables(settings)}
    assert {name for name in IMAGE.environment if name.startswith("GREENLIGHT_")} <= known


@OURS
def test_a_service_listens_on_all_addresses_at_the_published_port(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen = _read(service, monkeypatch).listen
    (published,) = _service(service)["ports"]
    host, _, inside = published.rpartition(":")
    assert listen == f"0.0.0.0:{inside}"
    assert host == f"127.0.0.1:{inside}", "published to this machine only, at the documented port"
    assert int(inside) in IMAGE.exposed


@OURS
def test_the_published_port_is_the_default_port(service: str) -> None:
    default = SETTINGS[service].model_fields["listen"].default
    assert _service(service)["ports"] == [f"127.0.0.1:{_port(default)}:{_port(default)}"]


@OURS
def test_the_command_is_a_module_that_starts_the_service(service: str) -> None:
    python, option, module = _service(service)["command"]
    assert (python, option, module) == ("python", "-m", f"{service}_svc")
    assert importlib.util.find_spec(f"{module}.__main__") is not None


def test_the_images_own_command_and_health_check_are_the_orchestrators() -> None:
    assert IMAGE.command == _service("orchestrator")["command"]
    assert ["CMD", *IMAGE.health] == _service("orchestrator")["healthcheck"]["test"]


@OURS
def test_the_health_check_asks_the_listening_port_over_grpc(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check = _service(service)["healthcheck"]
    *command, address = check["test"]
    assert command == ["CMD", "python", "-m", "shared.runtime.check_health"]
    assert importlib.util.find_spec("shared.runtime.check_health") is not None
    assert address == f"127.0.0.1:{_port(_read(service, monkeypatch).listen)}"
    assert containers.seconds(check["timeout"]) > 3, "the check's own timeout, and the start of an interpreter"


def test_the_orchestrator_finds_the_executors_of_this_file(monkeypatch: pytest.MonkeyPatch) -> None:
    (address,) = _read("orchestrator", monkeypatch).executors
    name = address.rpartition(":")[0]
    assert name in COMPOSE["services"]
    assert _port(address) == _port(_read(name, monkeypatch).listen)
    assert _service("orchestrator")["depends_on"][name] == {"condition": "service_healthy"}


def test_the_orchestrators_data_is_on_a_volume_that_its_user_may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    data = _read("orchestrator", monkeypatch).data.as_posix()
    assert _mounts("orchestrator") == {data: "data"}
    assert data in IMAGE.owned
    assert data in IMAGE.volumes


def test_the_executors_journal_and_reports_are_on_volumes_that_its_user_may_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = _read("executor", monkeypatch).data.as_posix()
    out = ExampleSettings.read(_environment("executor")).out.as_posix()
    assert _mounts("executor") == {data: "journal", out: "reports"}
    assert {data, out} <= {*IMAGE.owned}
    assert data in IMAGE.volumes


def _mounts(service: str) -> dict[str, str]:
    """Volume by target; every named volume is declared."""
    volumes: list[str] = _service(service)["volumes"]
    mounts = {target: name for name, target in (volume.split(":") for volume in volumes)}
    assert set(mounts.values()) <= COMPOSE["volumes"].keys()
    return mounts


def test_the_examples_tools_are_in_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    (toolbox,) = _read("executor", monkeypatch).toolbox
    assert importlib.util.find_spec(toolbox) is not None
    package = toolbox.partition(".")[0]
    assert IMAGE.copied[package] == f"{IMAGE.folder}/{package}", "the current folder comes first"


def test_the_templates_folder_is_in_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    (folder,) = _read("orchestrator", monkeypatch).templates
    origin = {target: source for source, target in IMAGE.copied.items()}[folder.as_posix()]
    assert list((containers.ROOT / origin).glob("*/template.yaml"))


@OURS
def test_spans_go_to_jaegers_otlp_port(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = urlsplit(_read(service, monkeypatch).otlp_endpoint)
    assert endpoint.scheme == "http", "in the clear: https would want a certificate"
    assert (endpoint.hostname, endpoint.port) == ("jaeger", 4317)
    assert "jaeger" in _service(service)["depends_on"]


def test_jaeger_is_the_release_that_the_tests_use() -> None:
    modules = (containers.ROOT / "tools" / "jaeger" / "go.mod").read_text(encoding="utf-8")
    tested = re.search(r"github.com/jaegertracing/jaeger v1\.(\d+)\.(\d+)", modules)
    image = re.fullmatch(r"jaegertracing/jaeger:2\.(\d+)\.(\d+)", _service("jaeger")["image"])
    assert tested is not None
    assert image is not None
    # Releases come in pairs, v1.(63 + n) with v2.n, from one commit.
    assert (int(image[1]) + 63, image[2]) == (int(tested[1]), tested[2])
    assert _service("jaeger")["ports"] == ["127.0.0.1:16686:16686"]


@OURS
def test_docker_waits_for_longer_than_the_service_drains(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert containers.seconds(_service(service)["stop_grace_period"]) > _read(service, monkeypatch).drain_grace


def test_nothing_runs_as_root() -> None:
    assert IMAGE.user == "10001:10001"
    assert all("user" not in service and "privileged" not in service for service in COMPOSE["services"].values())


@OURS
def test_both_services_are_built_from_the_one_dockerfile(service: str) -> None:
    assert _service(service)["build"] == "."
    assert _service(service)["image"] == _service("orchestrator")["image"]


@pytest.mark.parametrize("source", IMAGE.sources)
def test_what_the_dockerfile_copies_is_there_and_not_ignored(source: str) -> None:
    assert (containers.ROOT / source).exists()
    assert containers.sent_to_the_builder(source)


def test_the_image_has_every_package_of_both_distributions() -> None:
    project = tomllib.loads((containers.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {*packages, "clients/python", "proto/gen", "pyproject.toml", "LICENSE"} <= set(IMAGE.sources)
    minimum = project["project"]["requires-python"].removeprefix(">=")
    assert set(IMAGE.bases) == {f"python:{minimum}-slim"}


def test_paths_in_the_container_are_absolute() -> None:
    targets = [*IMAGE.owned, IMAGE.folder, *(target for name in SETTINGS for target in _mounts(name))]
    assert all(PurePosixPath(target).is_absolute() for target in targets)
    assert Path(IMAGE.folder) != Path("/")


SCALED = pytest.mark.parametrize("service", ["orchestrator-a", "orchestrator-b"])
SCALED_EXECUTORS = pytest.mark.parametrize("service", ["executor-a", "executor-b"])


def _differing(service: str, base: str, *fields: str) -> dict[str, Any]:
    """What it says otherwise than the one that it is made from; nothing but `fields` may."""
    own, of_file = _service(service), _service(base)
    assert {**own, **dict.fromkeys(fields)} == {**of_file, **dict.fromkeys(fields)}
    assert own["profiles"] == ["scaled"]
    return own


@SCALED
def test_the_orchestrators_of_the_profile_are_that_one_on_another_store(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = ("profiles", "environment", "ports", "networks", "volumes", "depends_on")
    own, of_file = _differing(service, "orchestrator", *fields), _service("orchestrator")
    more = {name for name, value in own["environment"].items() if of_file["environment"].get(name) != value}
    assert more == {"GREENLIGHT_STORE", "GREENLIGHT_EXECUTORS"}
    assert more <= containers.variables(SETTINGS["orchestrator"])
    monkeypatch.setitem(SETTINGS, service, SETTINGS["orchestrator"])
    settings = _read(service, monkeypatch)
    assert not settings.standby, "both are active"
    assert own["volumes"] == [], "nothing of it is in a file"
    (published,) = own["ports"]
    assert re.fullmatch(rf"127\.0\.0\.1:\d+:{_port(settings.listen)}", published)


@SCALED
def test_they_use_the_executors_of_the_profile(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS, service, SETTINGS["orchestrator"])
    addresses = _read(service, monkeypatch).executors
    assert [address.rpartition(":")[0] for address in addresses] == ["executor-a", "executor-b"]
    for address in addresses:
        name = address.rpartition(":")[0]
        monkeypatch.setitem(SETTINGS, name, SETTINGS["executor"])
        assert _port(address) == _port(_read(name, monkeypatch).listen)
        assert _service(service)["depends_on"][name] == {"condition": "service_healthy"}
    assert "executor" not in _service(service)["depends_on"], "that one is the other orchestrator's"


@SCALED
def test_one_name_stands_for_both(service: str) -> None:
    assert _service(service)["networks"] == {"default": {"aliases": ["orchestrators"]}}
    text = (containers.ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert f"dns:///orchestrators:{_port(_environment(service)['GREENLIGHT_LISTEN'])}" in text


@SCALED_EXECUTORS
def test_the_executors_of_the_profile_have_a_journal_each(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = _differing(service, "executor", "profiles", "ports", "volumes")
    monkeypatch.setitem(SETTINGS, service, SETTINGS["executor"])
    data = _read(service, monkeypatch).data.as_posix()
    others = [_mounts(name) for name in COMPOSE["services"] if name.startswith("executor") and name != service]
    assert _mounts(service)[data] not in [volume for mounts in others for volume in mounts.values()]
    assert own["ports"] == [], "it is for the orchestrators of this file only"


def test_no_two_services_are_published_at_one_port() -> None:
    ports = [port.rpartition(":")[0] for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert len({*ports}) == len(ports)


@SCALED
def test_they_find_the_database_of_this_file(service: str) -> None:
    database = _service("postgresql")
    given = database["environment"]
    url = parse_url(_service(service)["environment"]["GREENLIGHT_STORE"])
    assert database["profiles"] == ["scaled"]
    assert (url.host, url.port) == ("postgresql", 5432)
    assert (url.username, url.database) == (given["POSTGRES_USER"], given["POSTGRES_DB"])
    assert url.password == given["POSTGRES_PASSWORD"]
    assert _service(service)["depends_on"]["postgresql"] == {"condition": "service_healthy"}
    assert f"--username={given['POSTGRES_USER']}" in database["healthcheck"]["test"]
    (volume,) = database["volumes"]
    assert volume.partition(":")[0] in COMPOSE["volumes"]
    assert "ports" not in database, "it is for the services of this file only"


def test_the_database_puts_on_the_disk_what_it_says_to_be_committed() -> None:
    program, *options = _service("postgresql")["command"]
    assert program == "postgres"
    assert {"fsync=on", "full_page_writes=on", "synchronous_commit=on"} == {*options} - {"-c"}
