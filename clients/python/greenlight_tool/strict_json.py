"""Whether JSON text means the same to everyone who reads it, and to a tool: what parsers differ on is refused.

These are members that stand twice, NaN, numbers too large for a double, integers of more than 1,000 digits.
"""

import json
from typing import Any, NoReturn

import orjson

MAX_DIGITS = 1000
TOO_MANY_DIGITS = f"an integer has more than {MAX_DIGITS:,} digits"


def check(text: str) -> None:
    """Raises ValueError, whose message is the remedy."""
    try:
        # What comes out as it went in holds nothing of the kind; canonical text mostly does, for half a microsecond.
        if orjson.dumps(orjson.loads(text)) == text.encode():
            return
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass  # which of the faults it is, if any, is said below
    try:
        _read(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {twice!r} stands twice in one object; keep one of them")
    return members


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {digits[:40]} is too large for a double; send it as a string")
    return number


def _int(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"{TOO_MANY_DIGITS}; send it as a string")
    return int(digits)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; send null or a string")


_read = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant).decode
