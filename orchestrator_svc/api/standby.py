"""A service that waits for its turn: its port is there, health says NOT_SERVING, every call is told to come again.

Once that is over, the real handlers answer, on the same port.
"""

from typing import Any

import grpc
import grpc.aio

from shared.kernel.errors import UnavailableError
from shared.runtime.server import GrpcServer

RETRY_AFTER = 1.0


class Standby:
    """Begin before the real handlers are put on the server; they answer from the end on."""

    def __init__(self, server: GrpcServer, service: str) -> None:
        self._server, self._service = server, service
        self._handler = _Refusing(f"/{service}/")
        self._address = ""

    async def begin(self) -> str:
        """HOST:PORT."""
        self._server.grpc.add_generic_rpc_handlers((self._handler,))
        self._address = await self._server.start([self._service], serving=False)
        return self._address

    async def end(self) -> str:
        """HOST:PORT, the same."""
        self._handler.over = True
        await self._server.serving()
        return self._address


class _Refusing(grpc.GenericRpcHandler):
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.over = False

    def service(self, handler_call_details: Any) -> Any:
        if self.over or not handler_call_details.method.startswith(self._prefix):
            return None
        make: Any = grpc
        return make.unary_unary_rpc_method_handler(_refuse)


async def _refuse(data: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
    raise UnavailableError(
        "STANDBY", "this orchestrator stands by for another one that serves", retry_after=RETRY_AFTER
    )
