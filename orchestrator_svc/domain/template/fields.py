"""Reading single values of a template: each function says in `problems` what is wrong, and goes on with a default."""

import re
from typing import Any, TypeVar

from orchestrator_svc.domain.template.model import Parameter, Path, Text
from orchestrator_svc.domain.template.problems import Problems
from orchestrator_svc.domain.template.substitution import PARAM
from orchestrator_svc.domain.template.values import is_object

_T = TypeVar("_T")
_DURATION = re.compile(r"(0|[1-9][0-9]{0,8})(ms|s|m|h)")
_UNITS = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}


def mapping(value: object, path: Path, problems: Problems, known: frozenset[str] | None = None) -> dict[str, Any]:
    """A mapping; `known`: any other key is a problem."""
    if not is_object(value):
        problems.add(path, f"must be a mapping, and is {kind(value)}")
        return {}
    for key in value:
        if known is not None and key not in known:
            problems.unknown_key(path, key, known)
    return value


def text(value: object, path: Path, problems: Problems, *, required: bool = False) -> str:
    """A text; absent (None) is "" unless it is required."""
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        quote = f'; write "{value}"' if isinstance(value, int | float) and not isinstance(value, bool) else ""
        problems.add(path, f"must be a text, and is {kind(value)}{quote}")
        return ""
    if required and not value.strip():
        problems.add(path, "must not be empty")
    return value


def text_or_parameter(value: object, path: Path, problems: Problems) -> Text:
    """A text, or `{"$param": NAME}` for a whole text."""
    if is_object(value):
        name = value.get(PARAM)
        if len(value) == 1 and isinstance(name, str):
            return Parameter(name)
        problems.add(path, 'must be a text, or {"$param": NAME} alone')
        return ""
    return text(value, path, problems)


def one_of(value: object, path: Path, problems: Problems, choices: dict[str, _T]) -> _T | None:
    """One of the words; absent is None."""
    if value is None:
        return None
    found = choices.get(value) if isinstance(value, str) else None
    if found is None:
        problems.add(path, f"must be one of {', '.join(choices)}")
    return found


def duration(value: object, path: Path, problems: Problems) -> int | None:
    """Nanoseconds of a text like `500ms`, `30s`, `10m`, `24h`; absent is None."""
    if value is None:
        return None
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    nanoseconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if nanoseconds == 0:
        problems.add(path, "must be a whole number above 0 with its unit: 500ms, 30s, 10m or 24h")
        return None
    return nanoseconds


def kind(value: object) -> str:
    """What a person would call it."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "a mapping"
