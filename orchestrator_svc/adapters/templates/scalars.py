"""What a YAML scalar without quotes means: what it means in JSON. What one YAML reads so and another so is refused."""

import re

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORDS = {"null": None, "true": True, "false": False}
_MAX_DIGITS = 1000

# Booleans, numbers and times of YAML 1.1 or 1.2 that JSON does not have.
_AMBIGUOUS = re.compile(
    r"""
      ~ | = | << | null | true | false | yes | no | on | off
    | [-+]? 0 [box]? [0-9a-f_]+
    | [-+]? [0-9][0-9_]* (:[0-5]?[0-9])* (\.[0-9_]*)? (e[-+]?[0-9]+)?
    | [-+]? \.[0-9_]+ (e[-+]?[0-9]+)?
    | [-+]? \.inf | \.nan
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2} ([t\ \t].*)?
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def read_plain(text: str) -> str | int | float | bool | None:
    """The value of a scalar without quotes. Raises ValueError, whose message is the remedy."""
    if text in _WORDS:
        return _WORDS[text]
    match = _NUMBER.fullmatch(text)
    if match:
        return _number(text, is_integer=match[2] is None and match[3] is None)
    if not text:
        raise ValueError('an empty value: write null or "", or leave the key out')
    if _AMBIGUOUS.fullmatch(text):
        shown = text[:40]
        raise ValueError(
            f'{shown} without quotes reads differently from YAML to YAML: write "{shown}", or JSON\'s form'
        )
    return text


def _number(text: str, *, is_integer: bool) -> int | float:
    if is_integer:
        if len(text.lstrip("-")) > _MAX_DIGITS:
            raise ValueError(f"an integer of more than {_MAX_DIGITS:,} digits: write it in quotes")
        return int(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large for a double: write it in quotes")
    return value
