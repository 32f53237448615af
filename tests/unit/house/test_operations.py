"""docs/operations.md lists every setting of both services, with the default and the words of the code."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import executor_svc.__main__
import executor_svc.settings
import orchestrator_svc.__main__
import orchestrator_svc.settings
from tests.unit.house.documents import ROOT, rows

DOCUMENT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SERVICES: dict[str, tuple[type[BaseSettings], Any]] = {
    "orchestrator": (orchestrator_svc.settings.Settings, orchestrator_svc.__main__.main),
    "executor": (executor_svc.settings.Settings, executor_svc.__main__.main),
}


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_setting_is_listed_as_it_is(service: str, capsys: pytest.CaptureFixture[str]):
    settings, main = SERVICES[service]
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    expected = [row(settings, name, field, options) for name, field in settings.model_fields.items()]
    found = re.search(rf"<!-- settings of the {service} -->\n(.*?)<!-- end -->", DOCUMENT, re.DOTALL)
    assert found
    assert rows(found[1]) == expected


def row(settings: type[BaseSettings], name: str, field: FieldInfo, options: set[str]) -> list[str]:
    """Variable, option, default, meaning."""
    option = f"--{name.replace('_', '-')}"
    assert field.description
    return [
        f"`{variable(settings, name, field)}`",
        f"`{option}`" if option in options else "",
        shown(field.get_default()),
        field.description,
    ]


def variable(settings: type[BaseSettings], name: str, field: FieldInfo) -> str:
    if isinstance(field.validation_alias, AliasChoices):
        return next(str(choice) for choice in field.validation_alias.choices if str(choice).isupper())
    return f"{settings.model_config.get('env_prefix')}{name.upper()}"


def shown(default: object) -> str:
    """As it would be written into the environment."""
    if isinstance(default, list):
        default = ",".join(default)  # type: ignore[arg-type]
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, bool):
        default = str(default).lower()
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    assert isinstance(default, str | int | float | Path)
    return f"`{default}`" if str(default) else "none"
