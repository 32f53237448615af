"""Orchestrators that say no more than who they are, over real gRPC: for how clients choose among several."""

import asyncio
from collections.abc import Sequence
from typing import Any, Self

import grpc

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from shared.kernel.errors import UnavailableError
from shared.runtime.server import GrpcServer

SERVICE = "greenlight.orchestrator.v1.OrchestratorService"


class ScriptedOrchestrator:
    """Answers GetServerInfo with its name as the version; while `refusing`, with DRAINING; while `silent`, never; while
    `dropping`, as a server that ends does what has just arrived."""

    def __init__(self, name: str, listen: str = "127.0.0.1:0", options: Sequence[tuple[str, Any]] = ()) -> None:
        self.name = name
        self.address = ""
        self.asked = 0
        self.refusing = self.silent = self.dropping = False
        self.server = GrpcServer(listen, options=options)
        make: Any = grpc
        handler = make.unary_unary_rpc_method_handler(
            self._server_info, pb.GetServerInfoRequest.FromString, pb.GetServerInfoResponse.SerializeToString
        )
        generic = make.method_handlers_generic_handler(SERVICE, {"GetServerInfo": handler})
        self.server.grpc.add_generic_rpc_handlers((generic,))

    async def _server_info(self, request: pb.GetServerInfoRequest, context: Any) -> pb.GetServerInfoResponse:
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        if self.dropping:
            await context.abort(grpc.StatusCode.CANCELLED)
        if self.refusing:
            raise UnavailableError("DRAINING", "it drains", retry_after=3600.0)
        return pb.GetServerInfoResponse(version=self.name)

    async def __aenter__(self) -> Self:
        self.address = await self.server.start([SERVICE])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop(0)
