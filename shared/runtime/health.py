"""grpc.health.v1 for one server: what it says of itself, to who asks once and to who watches.

Unlike the library's own, it lets its watchers go when the server does: they would hold up its stop for all its grace.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVICE_NAME = "grpc.health.v1.Health"
_messages: Any = health_pb2


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Knows the services that `say` named, and no others."""

    def __init__(self) -> None:
        self._serving: dict[str, bool] = {}
        self._changed = asyncio.Event()
        self._over = False

    def say(self, services: Iterable[str], *, serving: bool) -> None:
        """From now on, to watchers too."""
        self._serving.update(dict.fromkeys(services, serving))
        self._wake()

    def end(self) -> None:
        """Ends the streams of those who watch, and of those who still come."""
        self._over = True
        self._wake()

    async def Check(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        if request.service not in self._serving:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return _messages.HealthCheckResponse(status=self._status(request.service))

    async def Watch(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        said: int | None = None
        while not self._over:
            changed, status = self._changed, self._status(request.service)
            if status != said:
                said = status
                await context.write(_messages.HealthCheckResponse(status=status))
            else:
                await changed.wait()

    def _status(self, service: str) -> int:
        answer = _messages.HealthCheckResponse
        if service not in self._serving:
            return answer.SERVICE_UNKNOWN
        return answer.SERVING if self._serving[service] else answer.NOT_SERVING

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
