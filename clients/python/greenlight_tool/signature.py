"""Derives from a function's type hints what it takes and what it returns: validators and JSON Schemas (2020-12)."""

import collections.abc
import inspect
import json
import types
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, cast, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import to_jsonable_python
from typing_extensions import TypedDict

from greenlight_tool import docstrings, strict_json
from greenlight_tool.context import ToolContext
from greenlight_tool.unions import step_counter

_STREAMS = (AsyncGenerator, AsyncIterator, AsyncIterable, collections.abc.AsyncGenerator)
_MOST_PROBLEMS = 20
_MOST_COUNTED = 2_000  # pydantic writes out all errors or none
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)


class ArgumentsError(ValueError):
    """The arguments do not fit; `problems` are (path, what is wrong)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {problem}" if path else problem for path, problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Signature:
    """What one function takes and gives. `context_name` is the parameter that wants the ToolContext, if any."""

    description: str
    arguments: TypeAdapter[Any]
    arguments_schema: str
    returned: Any
    result_schema: str | None
    context_name: str | None
    is_generator: bool
    check_steps: Callable[[str], None] | None = None

    def parse(self, arguments: str) -> dict[str, Any]:
        """Validates JSON text strictly (no "5" for 5) and returns keyword arguments. Raises ArgumentsError."""
        try:
            # pydantic takes NaN and 1e400 for numbers, and the last of two members of one name.
            strict_json.check(arguments)
            if self.check_steps is not None:
                self.check_steps(arguments)
            return self.arguments.validator.validate_json(arguments, strict=True)
        except ValidationError as error:
            raise ArgumentsError(_problems(error)) from None
        except ValueError as error:
            raise ArgumentsError([("", str(error))]) from None


class _Schema(GenerateJsonSchema):
    """Without the titles that pydantic makes up for every property."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def read(function: Callable[..., Any], name: str) -> Signature:
    """Reads the function. Raises TypeError that names the parameter where the hints do not say enough."""
    hints = _hints(function, name)
    documented = docstrings.read(function)
    context_name: str | None = None
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in _VARIADIC:
            raise TypeError(f"tool {name}: parameter {parameter.name} must be one that is passed by name")
        if parameter.name not in hints:
            raise TypeError(f"tool {name}: parameter {parameter.name} needs a type hint")
        if hints[parameter.name] is ToolContext:
            context_name = parameter.name
        else:
            fields[parameter.name] = _field(parameter, hints[parameter.name], documented.parameters)
    is_generator = inspect.isasyncgenfunction(function)
    declared = hints.get("return", Any)
    returned = _yielded(declared) if is_generator else declared
    arguments = _adapter(fields, name)
    arguments_schema = _schema(arguments, "validation", name, "its arguments")
    return Signature(
        description=documented.description,
        arguments=arguments,
        arguments_schema=arguments_schema,
        returned=returned,
        result_schema=_result_schema(returned, is_generator, name),
        context_name=context_name,
        is_generator=is_generator,
        check_steps=step_counter(arguments_schema),
    )


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"tool {name}: a type hint cannot be read: {error}") from error


def _field(parameter: inspect.Parameter, hint: Any, documented: Mapping[str, str]) -> Any:
    extra: dict[str, Any] = {}
    if parameter.name in documented and not _described(hint):
        extra["description"] = documented[parameter.name]
    if parameter.default is inspect.Parameter.empty:
        return Annotated[hint, Field(**extra)] if extra else hint
    if isinstance(parameter.default, FieldInfo):
        raise TypeError(f"parameter {parameter.name}: write Annotated[type, Field(...)] = default")
    extra["json_schema_extra"] = {"default": to_jsonable_python(parameter.default)}
    return NotRequired[Annotated[hint, Field(**extra)]]


def _described(hint: Any) -> bool:
    return any(isinstance(extra, FieldInfo) and extra.description for extra in get_args(hint)[1:])


def _adapter(fields: dict[str, Any], name: str) -> TypeAdapter[Any]:
    # A TypedDict rather than a model: parameters may be called `schema` or `json`, and the result is the dict to pass.
    arguments = cast(Any, TypedDict)("Arguments", fields)
    arguments.__pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)
    try:
        return TypeAdapter(arguments)
    except PydanticSchemaGenerationError as error:
        raise TypeError(f"tool {name}: a parameter's type has no JSON form: {error.message}") from error


def _schema(adapter: TypeAdapter[Any], mode: JsonSchemaMode, name: str, what: str) -> str:
    try:
        schema = adapter.json_schema(mode=mode, schema_generator=_Schema)
    except PydanticInvalidForJsonSchema as error:
        raise TypeError(f"tool {name}: {what} have no JSON Schema: {error.message}") from error
    schema.pop("title", None)
    return json.dumps(schema, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _yielded(declared: Any) -> Any:
    if declared is Any:
        return Any
    if get_origin(declared) not in _STREAMS or not get_args(declared):
        raise TypeError(f"an async generator returns AsyncIterator[...], not {declared!r}")
    return get_args(declared)[0]


def _result_schema(returned: Any, is_generator: bool, name: str) -> str | None:
    if returned in (Any, object):
        return None
    try:
        shape: Any = types.GenericAlias(list, (returned,)) if is_generator else returned
        adapter: TypeAdapter[Any] = TypeAdapter(shape)
    except PydanticSchemaGenerationError as error:
        raise TypeError(f"tool {name}: its return type has no JSON form: {error.message}") from error
    return _schema(adapter, "serialization", name, "its results")


def _problems(error: ValidationError) -> list[tuple[str, str]]:
    count = error.error_count()
    if count > _MOST_COUNTED:
        return [("", f"{count:,} places do not fit the tool's types")]
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return [_problem(detail) for detail in cast(list[dict[str, Any]], details[:_MOST_PROBLEMS])]


def _problem(detail: dict[str, Any]) -> tuple[str, str]:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in detail["loc"])
    return path.lstrip("."), detail["msg"]
