"""What a refused RPC says, taken apart: a reason always, and where they fit, fields and a time to come again."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

OURS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Refusal:
    """`fields`: field or subject -> what is wrong with it. `retry_after` in s."""

    code: str
    reason: str
    message: str
    metadata: dict[str, str]
    fields: dict[str, str]
    preconditions: dict[str, str]
    retry_after: float | None

    @property
    def short(self) -> tuple[str, str]:
        return self.code, self.reason


async def refusal(call: Awaitable[Any] | AsyncIterable[Any]) -> Refusal:
    """The call must fail, and not by a fault of ours."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await (_read(call) if isinstance(call, AsyncIterable) else call)
    error: Any = raised.value
    assert error.code() not in OURS, error
    status = rpc_status.from_call(error)
    assert status is not None, error
    return _taken_apart(error.code().name, status)


async def answered(make: Callable[[], Awaitable[Any]]) -> Any:
    """The same request again and again, as refusals that are UNAVAILABLE ask for."""
    while True:
        try:
            return await make()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(0.05)


async def _read(stream: AsyncIterable[Any]) -> None:
    async for _ in stream:
        pass


def item_refusal(status: status_pb2.Status) -> tuple[str, str]:
    """Code and reason of one item's status; ("OK", "")."""
    if not status.code:
        return "OK", ""
    code = next(code.name for code in grpc.StatusCode if code.value[0] == status.code)
    taken = _taken_apart(code, status)
    return taken.short


def _taken_apart(code: str, status: status_pb2.Status) -> Refusal:
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    precondition, retry = error_details_pb2.PreconditionFailure(), error_details_pb2.RetryInfo()
    found = {
        message.DESCRIPTOR.name
        for detail in status.details
        for message in (info, bad, precondition, retry)
        if detail.Unpack(message)
    }
    assert info.domain == "greenlight"
    assert info.reason
    return Refusal(
        code,
        info.reason,
        status.message,
        dict(info.metadata),
        {violation.field: violation.description for violation in bad.field_violations},
        {violation.subject: violation.description for violation in precondition.violations},
        retry.retry_delay.ToNanoseconds() / 1e9 if "RetryInfo" in found else None,
    )
