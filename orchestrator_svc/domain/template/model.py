"""A template that was read and found right. Reading is reading.py, turning it into proposals expansion.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator_svc.domain.proposal import Dependency
from orchestrator_svc.domain.tool import RetryPolicy, Tier

Path = tuple[str | int, ...]
"""Keys and positions from the top of a template to a value in it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """`{"$param": name}` where a text stands: the parameter's whole value."""

    name: str


Text = str | Parameter


@dataclass(frozen=True, slots=True)
class TemplateProposal:
    """One proposal of a template. `arguments` still has its `$param` objects; times are ns, None: the default."""

    key: str
    agent: str
    tool: str
    version: str
    arguments: dict[str, Any]
    tier: Tier | None
    depends_on: tuple[Dependency, ...]
    title: Text
    rationale: Text
    labels: Mapping[str, Text]
    idempotency_key: Text
    timeout: int | None
    retry: RetryPolicy | None
    approval_deadline: int | None


@dataclass(frozen=True, slots=True)
class Template:
    """A named, versioned batch. `defaults` are those of the parameters; `source` is the text that it was read from."""

    name: str
    version: str
    description: str
    parameters_schema_json: str
    defaults: Mapping[str, Any]
    proposals: tuple[TemplateProposal, ...]
    source: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def version_order(self) -> tuple[int, ...]:
        """Sort key: dotted integers by number."""
        return tuple(int(part) for part in self.version.split("."))

    @property
    def agents(self) -> tuple[str, ...]:
        """By first appearance."""
        return tuple(dict.fromkeys(proposal.agent for proposal in self.proposals))

    @property
    def tools(self) -> tuple[str, ...]:
        """Sorted."""
        return tuple(sorted({proposal.tool for proposal in self.proposals}))


def render(path: Path) -> str:
    """As people write it: `agents.data.proposals.profile.depends_on[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
