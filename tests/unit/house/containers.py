"""Reads the Dockerfile and docker-compose.yml as far as this project writes them; an unknown form is an error."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Image:
    """The last stage of the Dockerfile, and what every stage copies from the repository."""

    bases: list[str]
    sources: list[str]
    copied: Mapping[str, str]
    owned: list[str]
    environment: Mapping[str, str]
    user: str
    folder: str
    exposed: list[int]
    volumes: list[str]
    command: list[str]
    health: list[str]


def image() -> Image:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    last = max(number for number, (word, _) in enumerate(lines) if word == "FROM")
    stage = [(word, rest) for word, rest in lines[last:]]
    copies = [shlex.split(rest) for word, rest in lines if word == "COPY" and not rest.startswith("--from")]
    return Image(
        bases=[rest.split()[0] for word, rest in lines if word == "FROM"],
        sources=[source for words in copies for source in words[:-1]],
        copied={words[0]: words[1] for words in map(shlex.split, _all(stage, "COPY")) if words[0][:2] != "--"},
        owned=_owned(_all(stage, "RUN")),
        environment=dict(part.split("=", 1) for rest in _all(stage, "ENV") for part in shlex.split(rest)),
        user=_only(stage, "USER"),
        folder=_only(stage, "WORKDIR"),
        exposed=[int(port) for port in _only(stage, "EXPOSE").split()],
        volumes=json.loads(_only(stage, "VOLUME")),
        command=json.loads(_only(stage, "CMD")),
        health=json.loads(_only(stage, "HEALTHCHECK").partition(" CMD ")[2]),
    )


def _all(stage: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for found, rest in stage if found == word]


def _only(stage: list[tuple[str, str]], word: str) -> str:
    (rest,) = _all(stage, word)
    return rest


def _owned(commands: list[str]) -> list[str]:
    """The folders that are made for user 10001."""
    found = [re.search(r"install --directory --owner=10001 --group=10001 ([^&]*)", command) for command in commands]
    return [folder for match in found if match for folder in match[1].split()]


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def sent_to_the_builder(path: str) -> bool:
    """Whether .dockerignore, of which all begins with `*`, lets a path of the repository through."""
    rules = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split() if line.startswith("!")]
    return any(path == rule[1:] or path.startswith(f"{rule[1:]}/") for rule in rules)


def variables(settings: type[BaseSettings]) -> set[str]:
    """The names that the settings read from the environment."""
    prefix = settings.model_config.get("env_prefix", "")
    names: set[str] = set()
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        if alias is None:
            names.add(f"{prefix}{name}".upper())
        elif isinstance(alias, AliasChoices):
            names.update(choice.upper() for choice in alias.choices if isinstance(choice, str))
        else:
            names.add(str(alias).upper())
    return names


def seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+)s", text)
    assert match is not None, f"not in seconds: {text}"
    return float(match[1])
