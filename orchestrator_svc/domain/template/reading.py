"""From plain data (what YAML gives) to a Template: format 1. Says everything that is wrong, with place and remedy."""

import re
from collections.abc import Callable
from typing import Any

from orchestrator_svc.domain.template import fields
from orchestrator_svc.domain.template.model import Path, Template
from orchestrator_svc.domain.template.parameters import read_parameters
from orchestrator_svc.domain.template.problems import Problems
from orchestrator_svc.domain.template.proposals import read_agents
from orchestrator_svc.domain.template.structure import check_structure

TEMPLATE_KEYS = frozenset({"format", "name", "version", "description", "parameters", "agents"})
_FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){0,7}")


def _no_line(_: Path) -> None:
    return None


def read_template(data: object, source: str, line_of: Callable[[Path], int | None] = _no_line) -> Template:
    """Raises InvalidError (TEMPLATE_INVALID) with one violation a problem; `line_of` adds the line to each."""
    problems = Problems(line_of)
    top = fields.mapping(data, (), problems)
    _check_format(top, problems)
    fields.mapping(top, (), problems, TEMPLATE_KEYS)
    parameters = read_parameters(top.get("parameters"), ("parameters",), problems)
    proposals = read_agents(top.get("agents"), ("agents",), problems)
    check_structure(proposals, parameters, problems)
    template = Template(
        name=_matching(top, "name", _NAME, "1-128 letters, digits, '_', '.', '-', not beginning with a sign", problems),
        version=_matching(top, "version", _VERSION, 'dotted whole numbers in quotes, for example "1.0"', problems),
        description=fields.text(top.get("description"), ("description",), problems),
        parameters_schema_json=parameters.schema_json,
        defaults=parameters.defaults,
        proposals=tuple(proposals.values()),
        source=source,
    )
    problems.check()
    return template


def _check_format(top: dict[str, Any], problems: Problems) -> None:
    """Alone: what is of another format is not judged by the rules of this one."""
    found: object = top.get("format")
    if isinstance(found, bool) or found != _FORMAT:
        problems.add(("format",), f"must be {_FORMAT}, the only format that there is: write 'format: {_FORMAT}'")
    problems.check()


def _matching(top: dict[str, Any], key: str, pattern: re.Pattern[str], wanted: str, problems: Problems) -> str:
    value = top.get(key)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        problems.add((key,), f"must be {wanted}")
        return ""
    return value
