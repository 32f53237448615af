"""Log records as text: what tools, executors and clients said in them can neither forge a line nor fill the log."""

import logging
import re
from typing import Any

MESSAGE_CHARACTERS = 8_192
TRACEBACK_CHARACTERS = 32_768
# All that moves a terminal's cursor, colours it, or turns the direction of writing; not the tab and the line's end.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class LineFormatter(logging.Formatter):
    """As `logging.Formatter`. A record's first line alone begins at the margin; those after it are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = _tame(record.message, MESSAGE_CHARACTERS)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        return "  " + _tame(super().formatException(ei), TRACEBACK_CHARACTERS)

    def formatStack(self, stack_info: str) -> str:
        return "  " + _tame(stack_info, TRACEBACK_CHARACTERS)


def _tame(text: str, limit: int) -> str:
    if len(text) > limit:
        text = f"{text[:limit]}... ({len(text) - limit} more characters)"
    if not text.isprintable():
        text = _ACTING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
        text = text.replace("\n", "\n  ")
    return text
