"""What every RPC of a service passes: errors of the tree become a status with details, anything else INTERNAL."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from shared.kernel.errors import ExhaustedError, GreenlightError, InternalError, InvalidError
from shared.runtime.errors import to_status
from shared.runtime.limits import MAX_REQUEST_BYTES

_log = logging.getLogger(__name__)
_DETAILS = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}
Handler = Any
"""grpc.RpcMethodHandler; its type stubs know neither that it can be made nor its async behaviours."""


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """For methods below `prefix` that are coroutines (streaming ones write to their context)."""

    def __init__(self, prefix: str = "/greenlight.") -> None:
        self._prefix = prefix
        self._wrapped: dict[str, Handler] = {}

    def forget(self) -> None:
        """Which handler answers what may have changed."""
        self._wrapped.clear()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        method = str(handler_call_details.method)
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None or not method.startswith(self._prefix):
                return handler
            wrapped = self._wrapped[method] = _wrap(handler, method)
        return wrapped


def _wrap(handler: Handler, method: str) -> Handler:
    inner = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    # One that is no message, or too large, is the caller's fault, and is told so; gRPC itself would say UNKNOWN.
    read = _reader(handler.request_deserializer)
    streaming = handler.request_streaming

    async def behave(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await inner(request if streaming else read(request), context)
        except GreenlightError as error:
            await _abort(context, error)
        except (grpc.aio.AbortError, grpc.aio.InternalError):
            raise  # aborted; or the client went away in the middle of a write, which gRPC deals with
        except DecodeError:
            await _abort(
                context,
                InvalidError(
                    "MESSAGE_UNREADABLE", "a message is not of the type that this method takes, or nests too deep"
                ),
            )
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Not the RPC was cancelled but something within it: without a status the client would wait for ever.
            _log.error("%s ended by a cancellation of its own", method)
            await _abort(context, InternalError("INTERNAL", "internal error"))
        except Exception:
            _log.exception("%s has failed", method)
            await _abort(context, InternalError("INTERNAL", "internal error"))

    if handler.unary_unary:
        make = grpc.unary_unary_rpc_method_handler
    elif handler.unary_stream:
        make = grpc.unary_stream_rpc_method_handler
    elif handler.stream_unary:
        make = grpc.stream_unary_rpc_method_handler
    else:
        make = grpc.stream_stream_rpc_method_handler
    return make(behave, read if streaming else None, handler.response_serializer)  # pyright: ignore[reportArgumentType]


def _reader(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        if len(data) > MAX_REQUEST_BYTES:
            raise ExhaustedError(
                "REQUEST_TOO_LARGE",
                f"the request has {len(data):,} bytes, and may have {MAX_REQUEST_BYTES:,}; send it in parts",
                metadata={"bytes": str(len(data)), "limit": str(MAX_REQUEST_BYTES)},
            )
        return deserialize(data) if deserialize else data

    return read


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: GreenlightError) -> NoReturn:
    status = to_status(error)
    details = ((_DETAILS, status.SerializeToString()),)
    await context.abort(_CODES[status.code], status.message, details)
