"""What is wrong with a template, collected, so that its author sees all of it at once."""

from collections.abc import Callable
from difflib import get_close_matches

from orchestrator_svc.domain.template.model import Path, render
from shared.kernel.errors import FieldViolation, InvalidError

_MAX = 20


class Problems:
    """Places and remedies, in the order found. `line_of` says where a path stands in the text (None: unknown)."""

    def __init__(self, line_of: Callable[[Path], int | None]) -> None:
        self._line_of = line_of
        self._found: dict[tuple[Path, str], None] = {}

    def add(self, path: Path, message: str) -> None:
        self._found[path, message] = None

    def unknown_key(self, path: Path, key: str, known: frozenset[str]) -> None:
        close = get_close_matches(key, known, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"remove it; known here: {', '.join(sorted(known))}"
        self.add((*path, key), f"unknown key {key[:64]!r}: {remedy}")

    def check(self) -> None:
        """Raises InvalidError (TEMPLATE_INVALID) if there are any."""
        if self._found:
            raise template_invalid([self._violation(path, message) for path, message in self._found])

    def _violation(self, path: Path, message: str) -> FieldViolation:
        line = self._line_of(path)
        return FieldViolation(render(path), message if line is None else f"{message} (line {line})")


def template_invalid(violations: list[FieldViolation]) -> InvalidError:
    """The error of everything that is wrong with a template or its parameters. The message tells the first."""
    first = violations[0]
    message = f"{first.field}: {first.description}" if first.field else first.description
    more = f"; and {len(violations) - 1} more" if len(violations) > 1 else ""
    return InvalidError("TEMPLATE_INVALID", message + more, violations=violations[:_MAX])
