"""Turns what a tool returns into exact JSON text, or says why it cannot be one.

Exact: integers of up to 1,000 digits are written as digits, floats shortest and round-trip. Refused: longer integers,
NaN and infinities, bytes, sets, keys that are not text, lone surrogates, unknown objects. Types that are declared
(`-> Quote`) are written as pydantic writes them, and a value that contradicts the declaration is refused.
"""

import dataclasses
import enum
import json
import numbers
from collections.abc import Callable
from typing import Any, cast

import orjson
from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticSerializationError

from greenlight_tool.strict_json import MAX_DIGITS, TOO_MANY_DIGITS

_PLAIN: dict[Any, type] = {dict: dict, list: list, str: str, dict[str, Any]: dict, list[Any]: list}
_ANYTHING = (Any, object)
_TOO_LONG = 10**MAX_DIGITS


class ResultError(ValueError):
    """The value is not JSON, or not of the declared type."""


def encoder(declared: Any) -> Callable[[Any], bytes]:
    """Returns the function that writes results of the declared return type (`typing.Any` where there is none)."""
    if declared in _ANYTHING:
        return encode
    plain = _PLAIN.get(declared)
    return _checked(plain) if plain else _declared(TypeAdapter(declared))


def encode(value: Any) -> bytes:
    """Writes plain JSON values, and dataclasses, models, dates, enums within them. Raises ResultError."""
    try:
        text = orjson.dumps(value, default=_other)
    except (TypeError, RecursionError) as error:
        return _encode_slowly(value, error)
    # orjson writes NaN and infinities as null: only where there is a null can one hide.
    if b"null" in text:
        _refuse_not_finite(value)
    return text


def _checked(plain: type) -> Callable[[Any], bytes]:
    def encode_checked(value: Any) -> bytes:
        if not isinstance(value, plain):
            raise ResultError(f"declared {plain.__name__}, returned {type(value).__name__}")
        return encode(value)

    return encode_checked


def _declared(adapter: TypeAdapter[Any]) -> Callable[[Any], bytes]:
    def encode_declared(value: Any) -> bytes:
        try:
            plain = adapter.dump_python(value, mode="json", warnings="error")
        except (PydanticSerializationError, ValueError, RecursionError) as error:
            raise ResultError(f"not of the declared type: {error}") from error
        return encode(plain)

    return encode_declared


def _other(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    # Numbers of other libraries (numpy's scalars) and subclasses of float.
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _refuse_not_finite(value: Any) -> None:
    try:
        json.dumps(value, allow_nan=False, default=_parts)
    except ValueError as error:
        raise ResultError("NaN and infinities are not JSON") from error


def _parts(value: Any) -> Any:
    """What may hold a number, of a value that orjson has already written."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    try:
        return _other(value)
    except TypeError:
        return None


def _encode_slowly(value: Any, error: BaseException) -> bytes:
    """For integers beyond 64 bits, which orjson refuses; anything else that it refused stays refused."""
    try:
        text = json.dumps(_strict(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8")
    except ResultError:
        raise
    except (TypeError, ValueError, RecursionError) as again:
        message = str(again) if isinstance(again, TypeError) else str(error)
        raise ResultError(message or "it is nested too deeply") from again


def _strict(value: Any) -> Any:
    if isinstance(value, int) and not -_TOO_LONG < value < _TOO_LONG:
        raise ResultError(f"{TOO_MANY_DIGITS}; return it as a string")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict):
        members = cast(dict[Any, Any], value)
        if not all(isinstance(key, str) for key in members):
            raise TypeError("an object's keys must be text")
        return {key: _strict(member) for key, member in members.items()}
    if isinstance(value, list | tuple):
        return [_strict(member) for member in cast(list[Any], value)]
    # Everything else is written as orjson does, exactly, unless it holds such an integer itself.
    return orjson.loads(orjson.dumps(value)) if _is_native(value) else _strict(_opened(value))


def _opened(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # As orjson: what begins with an underscore is private.
        names = [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
        return {name: getattr(value, name) for name in names}
    return _other(value)


def _is_native(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True
