"""YAML as a careful subset: what JSON can say, with comments. Keeps the line of each key for the messages.

Refused: duplicate keys, anchors and aliases, tags, directives, several documents, dates and other values that JSON
does not have, more than 1 MiB, more than 72 levels.
"""

from typing import Any, NoReturn

import yaml

from orchestrator_svc.adapters.templates.scalars import read_plain
from orchestrator_svc.domain.template.model import Path, render
from orchestrator_svc.domain.template.problems import template_invalid
from shared.kernel.errors import FieldViolation

MAX_BYTES = 1 << 20
MAX_DEPTH = 72
_LINE_DEPTH = 8

# The C parser reads 1 MiB in half a second, the other in several; a test holds that they read the same.
_Loader: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class YamlDocument:
    """Plain data (`value`: dict, list, str, int, float, bool, None), and where its keys stand."""

    def __init__(self, value: Any, lines: dict[Path, int]) -> None:
        self.value = value
        self._lines = lines

    def line_of(self, path: Path) -> int | None:
        """Of the path itself, or of the nearest key above it."""
        for length in range(len(path), 0, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                return line
        return None


def read_yaml(text: str) -> YamlDocument:
    """Raises InvalidError (TEMPLATE_INVALID), which names the line."""
    _refuse_surrogates(text, None)
    if len(text.encode()) > MAX_BYTES:
        _refuse(f"larger than {MAX_BYTES:,} bytes")
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse(f"not YAML: {error.problem or error.context}", None if mark is None else mark.line + 1)
    except yaml.YAMLError as error:
        _refuse(f"not YAML: {' '.join(str(error).split())[:200]}")
    return builder.document()


class _Level:
    """A mapping or list that is being filled; `key` is the mapping's key that waits for its value."""

    def __init__(self, container: dict[str, Any] | list[Any], path: Path) -> None:
        self.container = container
        self.path = path
        self.key: str | None = None


class _Builder:
    """Builds the value from the parser's events, without recursion."""

    def __init__(self) -> None:
        self._levels: list[_Level] = []
        self._lines: dict[Path, int] = {}
        self._documents = 0
        self._value: Any = None

    def document(self) -> YamlDocument:
        if not self._documents:
            _refuse("empty: a template begins with 'format: 1'")
        return YamlDocument(self._value, self._lines)

    def take(self, event: Any) -> None:
        line: int = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._start_document(event, line)
        elif isinstance(event, yaml.AliasEvent):
            _refuse(f"an alias (*{event.anchor}): write the value out", line, self._here())
        elif isinstance(event, yaml.NodeEvent):
            self._node(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._levels.pop()

    def _start_document(self, event: Any, line: int) -> None:
        self._documents += 1
        if self._documents > 1:
            _refuse("a second document: one template a text", line)
        if event.version or event.tags:
            _refuse("a directive (%YAML, %TAG): remove it", line)

    def _node(self, event: Any, line: int) -> None:
        if event.anchor is not None:
            _refuse(f"an anchor (&{event.anchor}): write the value out where it is needed", line, self._here())
        if event.tag is not None:
            _refuse(f"a tag ({event.tag}): remove it, values have JSON's types", line, self._here())
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
        else:
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], line)

    def _scalar(self, event: Any, line: int) -> None:
        value: Any = event.value
        _refuse_surrogates(value, line)
        if event.implicit[0]:  # without quotes
            try:
                value = read_plain(value)
            except ValueError as error:
                _refuse(str(error), line, self._here())
        if self._expects_key():
            self._take_key(value, line)
        else:
            self._put(value)

    def _take_key(self, key: Any, line: int) -> None:
        level = self._levels[-1]
        if not isinstance(key, str):
            _refuse(f"the key {key!r} is no text: write it in quotes", line, level.path)
        if key in level.container:
            _refuse("the key stands twice in one mapping: keep one of them", line, (*level.path, key))
        level.key = key
        if len(level.path) < _LINE_DEPTH:
            self._lines[(*level.path, key)] = line

    def _open(self, container: dict[str, Any] | list[Any], line: int) -> None:
        if self._expects_key():
            _refuse("a mapping or list as a key: keys are texts", line, self._here())
        if len(self._levels) >= MAX_DEPTH:
            _refuse(f"nested deeper than {MAX_DEPTH} levels", line)
        path = self._here()
        self._put(container)
        self._levels.append(_Level(container, path))

    def _put(self, value: Any) -> None:
        if not self._levels:
            self._value = value
            return
        level = self._levels[-1]
        if isinstance(level.container, list):
            level.container.append(value)
        else:
            assert level.key is not None
            level.container[level.key] = value
            level.key = None

    def _expects_key(self) -> bool:
        return bool(self._levels) and isinstance(self._levels[-1].container, dict) and self._levels[-1].key is None

    def _here(self) -> Path:
        """Of the value that comes next."""
        if not self._levels:
            return ()
        level = self._levels[-1]
        if isinstance(level.container, list):
            return (*level.path, len(level.container))
        return level.path if level.key is None else (*level.path, level.key)


def _refuse_surrogates(text: str, line: int | None) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        _refuse("a lone surrogate: write whole characters", line)


def _refuse(message: str, line: int | None = None, path: Path = ()) -> NoReturn:
    place = "" if line is None else f" (line {line})"
    raise template_invalid([FieldViolation(render(path), message + place)])
