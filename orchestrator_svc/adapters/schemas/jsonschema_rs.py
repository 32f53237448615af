"""The schemas port by jsonschema-rs: compiled once, well under a microsecond a check. Nothing outside is ever read."""

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any, NoReturn, cast

import jsonschema_rs

from orchestrator_svc.ports.schemas import SchemaValidator, Violation
from shared.kernel.errors import FieldViolation, InvalidError

_DIALECTS = {"https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2020-12/schema#"}
_SCHEMA_BYTES = 1 << 20
_PATTERN_BYTES = 1 << 20  # a compiled pattern's size, and that of its automaton
_VIOLATIONS = 20
_MESSAGE = 300


class JsonSchemaRsCompiler:
    """Implements `SchemaCompiler`."""

    def compile(self, schema_json: str) -> SchemaValidator:
        schema = _read(schema_json)
        _refuse_other_dialects(schema)
        patterns = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
        try:
            validator = jsonschema_rs.Draft202012Validator(
                schema, validate_formats=False, retriever=_refuse_to_retrieve, pattern_options=patterns
            )
        except jsonschema_rs.ValidationError as error:
            raise _invalid(_explain(error), _pointer(error.instance_path)) from None
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise _invalid(_cut(str(error))) from None
        return _Validator(validator)


class _Validator:
    def __init__(self, validator: jsonschema_rs.Draft202012Validator) -> None:
        self._validator = validator

    def validate(self, value: object) -> list[Violation]:
        try:
            if self._validator.is_valid(value):
                return []
            errors = islice(self._validator.iter_errors(value), _VIOLATIONS)
            return [Violation(_pointer(error.instance_path), _cut(error.message)) for error in errors]
        except (ValueError, OverflowError) as error:
            # Deeper than the library goes, or no JSON at all.
            return [Violation("", _cut(str(error)))]


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
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _cut(text: str) -> str:
    return text if len(text) <= _MESSAGE else text[: _MESSAGE - 1] + "…"


def _invalid(message: str, path: str = "") -> InvalidError:
    return InvalidError("SCHEMA_INVALID", f"no JSON Schema: {message}", violations=[FieldViolation(path, message)])
