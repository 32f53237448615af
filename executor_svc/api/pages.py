"""Pages of a list: size and token of a request, the token of the next page."""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from shared.kernel.errors import FieldViolation, InvalidError

_DEFAULT_SIZE = 100
_LARGEST_SIZE = 1000
_PREFIX = b"v1:"

T = TypeVar("T")


def page(items: Sequence[T], size: int, token: str) -> tuple[Sequence[T], str]:
    """Raises InvalidError (PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID). The token is empty on the last page."""
    if size < 0:
        raise _invalid("PAGE_SIZE_INVALID", "page_size", "must not be negative")
    first = _decode(token) if token else 0
    end = first + min(size or _DEFAULT_SIZE, _LARGEST_SIZE)
    return items[first:end], _encode(end) if end < len(items) else ""


def _encode(index: int) -> str:
    return base64.urlsafe_b64encode(_PREFIX + str(index).encode()).decode()


def _decode(token: str) -> int:
    try:
        text = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        if not text.startswith(_PREFIX) or not text[len(_PREFIX) :].isdigit():
            raise ValueError(token)
        return int(text[len(_PREFIX) :])
    except (ValueError, binascii.Error):
        raise _invalid("PAGE_TOKEN_INVALID", "page_token", "is not one that was given out") from None


def _invalid(reason: str, field: str, description: str) -> InvalidError:
    return InvalidError(reason, f"{field} {description}", violations=[FieldViolation(field, description)])
