"""Where templates come from. Owns the contract; their meaning is the domain's, folders and YAML are the adapters'."""

from collections.abc import Sequence
from typing import Protocol

from orchestrator_svc.domain.template.model import Template


class TemplateCatalogue(Protocol):
    """The templates of this installation, fixed at start, and the reader of texts that come with a request.

    Every template that it returns was checked whole: its structure, that its parameters are a JSON Schema, and that
    their defaults fit it. All methods are synchronous, pure computation; `parse` of a text of 1 MiB takes a second, so
    a server calls it on a thread.
    """

    def list(self) -> Sequence[Template]:
        """All of them, by name, then version, the lowest first (dotted integers by number)."""
        ...

    def get(self, name: str, version: str | None = None) -> Template:
        """None (or "") is the highest version. Raises NotFoundError (TEMPLATE_UNKNOWN), which names what there is."""
        ...

    def parse(self, text: str) -> Template:
        """Reads a text that is in no catalogue. Raises InvalidError (TEMPLATE_INVALID) with one violation a problem:
        its path, the remedy, and the line."""
        ...
