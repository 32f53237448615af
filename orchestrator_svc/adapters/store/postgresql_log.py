"""Connects that are cut short, by a timeout or because whoever asked is gone: no error, though asyncio logs one.

asyncpg asks the server for TLS by a future that nobody awaits yet while the connection is being made. Cancelled then,
it gets an error that nobody ever fetches, and asyncio says so at level ERROR, with a traceback, to people who read the
log.
"""

import logging

_UNFETCHED = "Future exception was never retrieved"
_OF_ASYNCPG = ("unexpected connection_lost() call",)


class _CutShort(logging.Filter):
    """Turns such a record into one line of level DEBUG; all others pass as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if type(error) is not ConnectionError or error.args != _OF_ASYNCPG:
            return True
        if not record.getMessage().startswith(_UNFETCHED):
            return True
        record.msg = f"a connection to PostgreSQL was cut short while it was made: {error}"
        record.args = record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


_cut_short = _CutShort()


def take_cut_connects_calmly() -> None:
    """For asyncio's log in this process; more than once is as once."""
    logging.getLogger("asyncio").addFilter(_cut_short)
