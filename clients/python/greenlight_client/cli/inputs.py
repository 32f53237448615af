"""What `run` and `submit` take: a template's name, a template file, a JSON file of proposals; and its parameters."""

import json
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any, cast

from google.protobuf import json_format

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight_client.calls import Source, template, template_yaml

_DIGITS = 1_000
_NESTED = 100  # arguments may nest 64 deep, and stand in a proposal: the orchestrator says which are deeper


class UsageError(Exception):
    """What was typed is wrong; the message says what, and nothing was sent."""


class NotJsonError(UsageError):
    """A text that was to be JSON is not."""


class _TooDeepError(ValueError):
    """It nests so deeply that it cannot even be sent."""


def parameters(pairs: list[str]) -> dict[str, Any]:
    """`name=value` each; the value is JSON where it reads as JSON, else text."""
    result: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise UsageError(f"--param wants name=value, not {pair!r}")
        if name in result:
            raise UsageError(f"--param {name} is given twice")
        try:
            result[name] = json_or_text(text)
        except _TooDeepError as error:
            raise UsageError(f"--param {name}: {error}") from error
    return result


def json_or_text(text: str) -> Any:
    """`3` is a number, `"3"` and `three` are text."""
    try:
        return _json(text, parse_constant=_refuse_constant)
    except _TooDeepError:
        raise
    except ValueError:
        return text


def labels(pairs: list[str]) -> dict[str, str]:
    """`key=value` each."""
    result: dict[str, str] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not key:
            raise UsageError(f"--label wants key=value, not {pair!r}")
        if key in result:
            raise UsageError(f"--label {key} is given twice")
        result[key] = text
    return result


def source(target: str, given: dict[str, Any]) -> Source:
    """A file (YAML template, JSON proposals, `-` = JSON on stdin), else a template's `NAME` or `NAME@VERSION`."""
    if target == "-":
        return proposals(sys.stdin.read(), "stdin", given)
    path = Path(target)
    if path.suffix.lower() in (".yaml", ".yml"):
        return template_yaml(read_text(path), given)
    if path.suffix.lower() == ".json":
        return proposals(read_text(path), str(path), given)
    if path.is_file():
        raise UsageError(f"{target}: a file has to end in .yaml, .yml or .json")
    name, _, version = target.partition("@")
    return template(name, given, version=version)


def read_text(path: Path) -> str:
    """A file's text, or a UsageError that says why not."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def proposals(text: str, name: str, given: dict[str, Any]) -> batch_pb2.BatchSpec:
    """`{"proposals": [...]}` or a bare list, in the proto's JSON mapping; `arguments` go exactly as they stand."""
    if given:
        raise UsageError(f"{name}: --param is for templates")
    try:
        document = _json(
            text, object_pairs_hook=_without_duplicates, parse_int=_short_integer, parse_float=_finite_number
        )
    except ValueError as error:
        raise UsageError(f"{name}: not JSON: {error}") from error
    body = cast(dict[str, Any], document if isinstance(document, dict) else {"proposals": document})
    if not isinstance(body.get("proposals"), list):
        raise UsageError(f'{name}: wants {{"proposals": [...]}} or a list of proposals')
    _refuse_unknown(
        f"{name}: ", {key: value for key, value in body.items() if key != "proposals"}, batch_pb2.BatchSpec.DESCRIPTOR
    )
    for number, item in enumerate(cast(list[Any], body["proposals"])):
        if not isinstance(item, dict):
            raise UsageError(f"{name}: proposals[{number}]: wants an object, not {item!r:.40}")
        _refuse_unknown(f"{name}: proposals[{number}]: ", item, proposal_pb2.ProposalSpec.DESCRIPTOR)
    exact = [_exact_arguments(item) for item in cast(list[Any], body["proposals"])]
    try:
        return json_format.ParseDict({**body, "proposals": {"items": exact}}, batch_pb2.BatchSpec())
    except json_format.ParseError as error:
        said = str(error).rstrip(".")
        hint = '; a duration is a text like "5s"' if "Duration JSON value" in said else ""
        raise UsageError(f"{name}: {said}{hint}") from error


def ordered_json(text: str) -> str:
    """The same JSON with members in order and numbers written one way, so that two can be compared as texts.

    Raises NotJsonError.
    """
    return json.dumps(strict_json(text, parse_float=_number), ensure_ascii=False, sort_keys=True)


def strict_json(text: str, **hooks: Any) -> Any:
    """What the text says. Raises NotJsonError."""
    try:
        return _json(
            text,
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_int=_short_integer,
            **hooks,
        )
    except ValueError as error:
        raise NotJsonError(f"not JSON: {error}") from error


def _json(text: str, **hooks: Any) -> Any:
    """What the text says. Raises ValueError."""
    try:
        value = json.loads(text, **hooks)
    except RecursionError:
        raise _TooDeepError("nested deeper than 64") from None
    level = [value]
    for _ in range(_NESTED):
        level = [inner for item in level for inner in _members(item)]
    if level:
        raise _TooDeepError("nested deeper than 64")
    return value


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast(dict[str, Any], value).values()
    return cast(list[Any], value) if isinstance(value, list) else ()


def _number(text: str) -> int | float:
    """`1.0` and `1e2` are what the orchestrator writes as `1` and `100`."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


def _short_integer(text: str) -> int:
    if len(text.lstrip("-")) > _DIGITS:
        raise ValueError(f"an integer has more than {_DIGITS:,} digits; send it as a string")
    return int(text)


def _finite_number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"the number {text} is too large for a double; send it as a string")
    return number


def _refuse_unknown(where: str, item: Any, message: Any) -> None:
    """Names a member that the message (its descriptor) does not have, and what may have been meant; looks inside."""
    if not isinstance(item, dict):
        return
    fields = {name: field for field in message.fields for name in (field.name, field.json_name)}
    for member, value in cast(dict[str, Any], item).items():
        if member not in fields:
            meant = get_close_matches(member, fields, 1) or get_close_matches(member.lower(), fields, 1)
            hint = f"; did you mean {fields[meant[0]].name!r}?" if meant else ""
            raise UsageError(f"{where}unknown member {member!r}{hint}")
        inner = fields[member].message_type
        if inner is None or inner.GetOptions().map_entry or inner.full_name.startswith("google.protobuf."):
            continue
        for number, part in enumerate(cast(list[Any], value) if isinstance(value, list) else [value]):
            place = f"{member}[{number}]" if isinstance(value, list) else member
            _refuse_unknown(f"{where.removesuffix(': ')}.{place}: ", part, inner)


def _exact_arguments(item: Any) -> Any:
    """`arguments` as JSON text: through a Struct, large integers would not survive."""
    if not isinstance(item, dict) or not isinstance(cast(dict[str, Any], item).get("arguments"), dict):
        return cast(Any, item)
    rest = {name: field for name, field in cast(dict[str, Any], item).items() if name != "arguments"}
    return {**rest, "argumentsJson": json.dumps(item["arguments"], ensure_ascii=False)}


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {twice!r} is there twice")
    return result


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")
