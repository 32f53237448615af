"""The schemas port by jsonschema-rs: compiled once, well under a microsecond a check. Nothing outside is ever read."""

import json
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Any, NoReturn, cast
from urllib.parse import quote

import jsonschema_rs

from orchestrator_svc.adapters.schemas.explaining import Explanation, escape
from orchestrator_svc.adapters.schemas.limits import TOOLS, Effort, Limits
from orchestrator_svc.adapters.schemas.weighing import weigh, weigh_written_out
from orchestrator_svc.ports.schemas import SchemaValidator, Violation
from shared.kernel.errors import FieldViolation, InvalidError

_DIALECTS = {"https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2020-12/schema#"}
_SCHEMA_BYTES = 1 << 20
_VIOLATIONS = 20
_MESSAGE = 300
_INSTANCE = 80
_CHOICES = 20
_NAMED_BY_THE_LIBRARY = 3
# Nodes of the schema times nodes of the value: some thousand errors at most, which the library makes all at once.
_EXPLAINED_BY_THE_LIBRARY = 20_000
_LEAST_WEIGHT = 8
_WHOLE = "urn:greenlight:schema"
_PARTS_KEPT = 10_000  # nodes: each part may hold the whole


class JsonSchemaRsCompiler:
    """Implements `SchemaCompiler`."""

    def __init__(self, limits: Limits = TOOLS) -> None:
        self._limits = limits

    def compile(self, schema_json: str) -> SchemaValidator:
        schema = _read(schema_json)
        _refuse_other_dialects(schema)
        try:
            effort = Effort(schema, self._limits)
            validator = _compile(schema, pattern_bytes=self._limits.pattern_bytes)
        except jsonschema_rs.ValidationError as error:
            raise _invalid(_explain(error), _pointer(error.instance_path)) from None
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise _invalid(_cut(str(error))) from None
        return _Validator(schema, validator, effort)


class _Validator:
    """Whether a value fits is the library's to say, always; why not, only where that is bounded."""

    def __init__(
        self, schema: dict[str, Any] | bool, validator: jsonschema_rs.Draft202012Validator, effort: Effort
    ) -> None:
        self._schema, self._validator = schema, validator
        self._effort = effort if effort.is_worth_a_look else None
        self._nodes = weigh(schema)
        self._written_out = weigh_written_out(schema)
        self._parts = _Parts(schema, self._nodes)

    def validate(self, value: object) -> list[Violation]:
        try:
            if self._effort is not None and (excess := self._effort.find_excess(value)):
                return [Violation("", excess)]
            if self._validator.is_valid(value):
                return []
            if (self._written_out + _LEAST_WEIGHT) * weigh(value) > _EXPLAINED_BY_THE_LIBRARY:
                found = Explanation(self._schema, self._nodes, self._parts, _VIOLATIONS).explain(value)
                return [Violation(one.path, _cut(one.message)) for one in found]
            errors = islice(self._validator.iter_errors(value), _VIOLATIONS)
            return [Violation(_pointer(error.instance_path), _cut(_message(error))) for error in errors]
        except (ValueError, OverflowError) as error:
            # Deeper than the library goes, or no JSON at all.
            return [Violation("", _cut(str(error)))]


class _Parts:
    """Implements `Checks`."""

    def __init__(self, schema: dict[str, Any] | bool, nodes: int) -> None:
        self._schema = schema
        self._registry: jsonschema_rs.Registry | None = None
        self._part = lru_cache(1 + _PARTS_KEPT // nodes)(self._compile_part)

    def fits(self, pointer: str, value: object) -> bool:
        return self._part(pointer, False).is_valid(value)

    def fit(self, pointer: str, values: list[Any]) -> bool:
        return self._part(pointer, True).is_valid(values)

    def fits_alone(self, schema: dict[str, Any], value: object) -> bool:
        return _compile(schema).is_valid(value)

    def _compile_part(self, pointer: str, of_items: bool) -> jsonschema_rs.Draft202012Validator:
        if self._registry is None:
            self._registry = jsonschema_rs.Registry([(_WHOLE, self._schema)])
        part: dict[str, Any] = {"$ref": _WHOLE + "#" + quote(pointer)}
        return _compile({"items": part} if of_items else part, self._registry)


def _compile(
    schema: dict[str, Any] | bool,
    registry: jsonschema_rs.Registry | None = None,
    pattern_bytes: int = TOOLS.pattern_bytes,
) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        schema,
        validate_formats=False,
        retriever=_refuse_to_retrieve,
        registry=registry,
        pattern_options=jsonschema_rs.RegexOptions(size_limit=pattern_bytes, dfa_size_limit=TOOLS.pattern_bytes),
    )


def _read(schema_json: str) -> dict[str, Any] | bool:
    if len(schema_json) > _SCHEMA_BYTES or len(schema_json.encode(errors="replace")) > _SCHEMA_BYTES:
        raise _invalid(f"larger than {_SCHEMA_BYTES} bytes")
    try:
        schema = json.loads(schema_json, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"not JSON: {_cut(str(error))}") from None
    if not isinstance(schema, dict | bool):
        raise _invalid("a JSON Schema is an object, true or false")
    return cast("dict[str, Any] | bool", schema)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse_other_dialects(schema: dict[str, Any] | bool) -> None:
    dialect = schema.get("$schema") if isinstance(schema, dict) else None
    if dialect is not None and dialect not in _DIALECTS:
        raise _invalid(f"written for {_cut(str(dialect))}: Draft 2020-12 is the one that is read", "/$schema")


def _refuse_to_retrieve(uri: str) -> NoReturn:
    raise ValueError(f"{uri} lies outside the schema, and nothing is fetched")


def _explain(error: jsonschema_rs.ValidationError) -> str:
    message = error.message
    if "is not present in a registry" in message:
        uri = message.partition("'")[2].partition("'")[0]
        return f"{_cut(uri)} lies outside the schema, and nothing is fetched: copy it into $defs"
    if message.endswith('is not a "regex"'):
        return f"{_cut(message)} that runs in linear time (no look-around, no back-references, moderate size)"
    return _cut(message)


def _pointer(path: Iterable[str | int]) -> str:
    return "".join("/" + escape(part) for part in path)


def _message(error: jsonschema_rs.ValidationError) -> str:
    """The library's, but for a choice, of which it names no more than three."""
    if not isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Enum):
        return error.message
    options = error.kind.options
    if len(options) <= _NAMED_BY_THE_LIBRARY:
        return error.message
    *most, last = (json.dumps(one, ensure_ascii=False) for one in options[:_CHOICES])
    end = f", {last} ..." if len(options) > _CHOICES else f" or {last}"
    return f"{json.dumps(error.instance, ensure_ascii=False)[:_INSTANCE]} is not one of {', '.join(most)}{end}"


def _cut(text: str) -> str:
    return text if len(text) <= _MESSAGE else text[: _MESSAGE - 1] + "…"


def _invalid(message: str, path: str = "") -> InvalidError:
    return InvalidError("SCHEMA_INVALID", f"no JSON Schema: {message}", violations=[FieldViolation(path, message)])
