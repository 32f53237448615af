"""Clients that leave while they are being answered: no error of ours, though gRPC logs it as one.

gRPC learns that a client is gone by two ways, and only if the other one comes second does it know the failed write for
what it is.
"""

import logging

import grpc.aio

_GRPC_LOG = "grpc._cython.cygrpc"
# An operation that was taken and then failed: the connection, or the client's interest, is gone. One that gRPC would
# not even take ("Failed grpc_call_start_batch") is an error indeed.
_FAILED_LATER = 'Failed "execute_batch"'


class _Departures(logging.Filter):
    """Turns such a record into one line of level DEBUG; all others pass as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, grpc.aio.InternalError) or not str(error).startswith(_FAILED_LATER):
            return True
        record.msg = f"a client left while it was answered: {record.getMessage()}"
        record.args = record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
        return logging.getLogger(_GRPC_LOG).isEnabledFor(logging.DEBUG)


_departures = _Departures()


def take_departures_calmly() -> None:
    """For gRPC's log in this process; more than once is as once."""
    logging.getLogger(_GRPC_LOG).addFilter(_departures)
