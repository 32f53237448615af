"""Reads a docstring in Google style: the description, and what its `Args:` section says of each parameter."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_SECTION = re.compile(r"(Args|Arguments|Parameters|Returns|Yields|Raises|Example|Examples|Note|Notes):\s*")
_PARAMETER = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)")
_PARAMETER_SECTIONS = ("Args", "Arguments", "Parameters")


@dataclass(frozen=True, slots=True)
class Docstring:
    """`description` is all text before the first section; `parameters` maps names to their text."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict[str, str])


def read(function: Callable[..., Any]) -> Docstring:
    """Returns what the function's docstring says; an empty one without a docstring."""
    description: list[str] = []
    parameters: dict[str, list[str]] = {}
    section = ""
    entry: list[str] | None = None
    for line in (inspect.getdoc(function) or "").splitlines():
        if heading := _SECTION.fullmatch(line):
            section, entry = heading[1], None
        elif not section:
            description.append(line)
        elif section in _PARAMETER_SECTIONS and line.strip():
            match = _PARAMETER.fullmatch(line.strip())
            if match and _indent(line) <= 4:
                entry = parameters.setdefault(match[1], [])
                entry.append(match[2])
            elif entry is not None:
                entry.append(line.strip())
    text = {name: " ".join(filter(None, lines)) for name, lines in parameters.items()}
    return Docstring("\n".join(description).strip(), {name: said for name, said in text.items() if said})


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
