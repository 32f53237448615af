"""Arguments as people type them, for CallTool: strict JSON text, or a Struct, whose numbers are doubles."""

import json
from typing import Any, cast

from google.protobuf import json_format

from greenlight.executor.v1 import executor_pb2 as pb
from greenlight_tool import strict_json
from shared.kernel.errors import FieldViolation, InvalidError

# What the double 2^53 was written as cannot be told: 2^53 + 1 is rounded to it.
_EXACT = 2**53 - 1


def arguments_of(request: pb.CallToolRequest) -> str:
    """JSON text of an object. Raises InvalidError (ARGUMENTS_INVALID)."""
    match request.WhichOneof("arguments_source"):
        case "arguments_json":
            return _checked(request.arguments_json)
        case "arguments":
            try:
                values = json_format.MessageToDict(request.arguments)
            except (ValueError, RecursionError, json_format.Error) as error:  # NaN, an infinity, a value of no kind
                raise _invalid("arguments", str(error)) from error
            return json.dumps(_exact(values, "arguments"), ensure_ascii=False, separators=(",", ":"))
        case _:
            return "{}"


def _checked(text: str) -> str:
    try:
        strict_json.check(text)
    except ValueError as error:
        raise _invalid("arguments_json", str(error)) from error
    return text


def _exact(value: Any, path: str) -> Any:
    if isinstance(value, float):
        if not value.is_integer():
            return value
        if abs(value) > _EXACT:
            raise _invalid(path, "an integer beyond 2^53 - 1 is not exact here: use arguments_json")
        return int(value)
    if isinstance(value, dict):
        return {name: _exact(member, f"{path}.{name}") for name, member in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_exact(member, f"{path}[{index}]") for index, member in enumerate(cast(list[Any], value))]
    return value


def _invalid(field: str, description: str) -> InvalidError:
    violation = FieldViolation(field, description)
    return InvalidError("ARGUMENTS_INVALID", f"{field}: {description}", violations=[violation])
