"""Reading JSON strictly and writing it in canonical form: RFC 8785, but integers exactly as digits.

Refused: NaN and infinities (also numbers too large for a double), duplicate members, lone surrogates, too deep.
"""

import codecs
import json
import re
import threading
from typing import Any, cast

import orjson

MAX_DEPTH = 64
_UTF16 = codecs.lookup("utf-16-be")
"""Read from its file now: in the middle of a step there may be no descriptor left for it."""
_SORTED = orjson.OPT_SORT_KEYS
_INT64 = 1 << 63
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class JsonError(ValueError):
    """Text that is not acceptable JSON; the message says why, for the person who sent it."""


class Written:
    """Canonical text that stands for its value inside what `write` writes. `size`: in bytes."""

    __slots__ = ("size", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.size = size_of(text)


def size_of(text: str) -> int:
    """Bytes of a text; O(1) where it is ASCII. A lone surrogate counts, wherever it is refused."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class _Reader:
    """A decoder that remembers whether it saw a number that only the full form writes right."""

    def __init__(self) -> None:
        self.plain = True
        self._decode = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_float=self._float,
            parse_int=self._int,
            parse_constant=self._constant,
        ).decode

    def read(self, text: str) -> Any:
        self.plain = True
        return self._decode(text)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise JsonError(f"the member {twice!r} stands twice in one object; keep one of them")
        return members

    def _float(self, digits: str) -> float:
        self.plain = False
        number = float(digits)
        if number in (float("inf"), float("-inf")):
            raise JsonError(f"the number {digits[:40]} is too large for a double; send it as a string")
        return number

    def _int(self, digits: str) -> int:
        if len(digits) > 18:
            self.plain = False
            if len(digits.lstrip("-")) > 1000:
                raise JsonError("an integer has more than 1,000 digits; send it as a string")
        if digits == "-0":
            return 0
        return int(digits)

    def _constant(self, name: str) -> Any:
        raise JsonError(f"{name} is not JSON; send null or a string")


class _Local(threading.local):
    """Templates are read on threads: what one reader saw is not another's."""

    def __init__(self) -> None:
        self.reader = _Reader()


_local = _Local()


def parse(text: str) -> tuple[Any, bool]:
    """Returns the value, and whether `write_plain` would write it canonically. Raises JsonError."""
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(text)
    try:
        reader = _local.reader
        value = reader.read(text)
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise JsonError(f"nested deeper than {MAX_DEPTH}") from None
    if _SURROGATE.search(text):
        _check_encodable(json.dumps(value, ensure_ascii=False))
    return value, reader.plain and text.isascii() and "\\" not in text


def canonical(text: str) -> tuple[Any, str]:
    """Returns the value and its canonical text. Raises JsonError."""
    value, plain = parse(text)
    return value, write(value, plain=plain)


def write(value: Any, *, plain: bool = False) -> str:
    """Canonical text of a value. `plain`: only ASCII, no floats, integers of 64 bits. Raises JsonError."""
    if plain:
        return orjson.dumps(value, option=_SORTED).decode()
    parts: list[str] = []
    _write(value, parts)
    text = "".join(parts)
    _check_encodable(text)
    return text


def _check_encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise JsonError("a string has a lone surrogate; send whole characters") from None


def _write(value: Any, parts: list[str]) -> None:
    if isinstance(value, dict):
        _write_object(cast(dict[str, Any], value), parts)
    elif isinstance(value, list):
        parts.append("[")
        for position, item in enumerate(cast(list[Any], value)):
            if position:
                parts.append(",")
            _write(item, parts)
        parts.append("]")
    else:
        parts.append(_scalar(value))


def _write_object(value: dict[str, Any], parts: list[str]) -> None:
    parts.append("{")
    names = sorted(value, key=lambda name: _UTF16.encode(name, "surrogatepass")[0])
    for position, name in enumerate(names):
        if position:
            parts.append(",")
        parts.append(_string(name))
        parts.append(":")
        _write(value[name], parts)
    parts.append("}")


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(value)
    return value.text if isinstance(value, Written) else number(value)


def _string(value: str) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        raise JsonError("a string has a lone surrogate; send whole characters") from None


_EXPONENT = re.compile(r"^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$")


def number(value: float) -> str:
    """A double as ECMAScript writes it (RFC 8785, 3.2.2.3): the shortest digits that read back the same."""
    if value == 0:
        return "0"
    match = _EXPONENT.match(f"{_shortest(value)}")
    assert match is not None
    sign, first, rest, exponent_text = match.groups()
    digits, exponent = first + (rest or ""), int(exponent_text)
    if 0 <= exponent < 21:
        if len(digits) <= exponent + 1:
            return sign + digits.ljust(exponent + 1, "0")
        return f"{sign}{digits[: exponent + 1]}.{digits[exponent + 1 :]}"
    if -7 < exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{exponent:+d}"


def _shortest(value: float) -> str:
    """repr's digits, always with an exponent: `d.ddde+X`."""
    digits = repr(value)
    sign = "-" if digits.startswith("-") else ""
    mantissa, _, exponent = digits.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = int(exponent or 0)
    figures = (whole + fraction).lstrip("0")
    shift += len(whole) - 1 if whole != "0" else -(len(fraction) - len(fraction.lstrip("0")) + 1)
    figures = figures.rstrip("0") or "0"
    return f"{sign}{figures[0]}{'.' + figures[1:] if len(figures) > 1 else ''}e{shift:+d}"


def _check_depth(text: str) -> None:
    """Counts brackets outside strings; only for text with many of them."""
    depth = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise JsonError(f"nested deeper than {MAX_DEPTH}")
        elif character in "]}":
            depth -= 1
