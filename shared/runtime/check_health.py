"""Asks a server for its health, over gRPC: `python -m shared.runtime.check_health HOST:PORT`, for containers.

Exit code 0 says that it serves; 1, with a line on stderr, that it does not, or gives no answer.
"""

import asyncio
import sys
from typing import Any

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared.runtime.channel import open_channel

_TIMEOUT = 3.0


async def check(address: str, *, timeout: float = _TIMEOUT) -> str:
    """What is wrong with the server at HOST:PORT; an empty text if nothing is."""
    messages: Any = health_pb2
    async with open_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(messages.HealthCheckRequest(service=""), timeout=timeout)
        except grpc.aio.AioRpcError as error:
            return f"{address}: {error.code().name}: {error.details()}"
    status: int = answer.status
    name: str = messages.HealthCheckResponse.ServingStatus.Name(status)
    return "" if name == "SERVING" else f"{address}: {name}"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m shared.runtime.check_health HOST:PORT", file=sys.stderr)
        return 2
    wrong = asyncio.run(check(arguments[0]))
    if wrong:
        print(wrong, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
