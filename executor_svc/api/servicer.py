"""The ExecutorService: maps in, calls the application, maps out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc.aio

from executor_svc.api.arguments import arguments_of
from executor_svc.api.descriptors import descriptor_of
from executor_svc.api.execute import ExecuteStream
from executor_svc.api.outcomes import fill_outcome
from executor_svc.api.pages import page
from executor_svc.application.executor import Executor
from executor_svc.application.registry import Hosted
from executor_svc.domain.call import Call, Origin
from executor_svc.domain.tool import Effect
from greenlight.executor.v1 import executor_pb2 as pb
from greenlight.executor.v1 import executor_pb2_grpc
from shared.kernel.errors import FieldViolation, PreconditionError
from shared.kernel.ids import IdSource
from shared.runtime.caller import Caller, caller_of

SERVICE = pb.DESCRIPTOR.services_by_name["ExecutorService"].full_name


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What an executor says of itself. Sizes in bytes."""

    version: str
    max_request_bytes: int
    max_result_bytes: int
    unsafe_call_tool: bool


class ExecutorServicer(executor_pb2_grpc.ExecutorServiceServicer):
    """`ids` name the calls that CallTool makes."""

    def __init__(self, executor: Executor, info: ServerInfo, ids: IdSource) -> None:
        self._executor = executor
        self._info = info
        self._ids = ids
        identity = executor.identity
        self._identity = pb.Identity(executor_id=identity.executor_id, boot_id=identity.boot_id, version=info.version)

    def add_to(self, server: grpc.aio.Server) -> None:
        executor_pb2_grpc.add_ExecutorServiceServicer_to_server(self, server)

    async def Execute(  # pyright: ignore[reportIncompatibleMethodOverride]  # a coroutine that writes, no generator
        self, request_iterator: AsyncIterator[pb.ExecuteRequest], context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        await ExecuteStream(self._executor, self._identity, context).serve()

    async def ListTools(
        self, request: pb.ListToolsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.ListToolsResponse:
        specs, token = page(self._executor.specs(), request.page_size, request.page_token)
        return pb.ListToolsResponse(tools=[descriptor_of(spec) for spec in specs], next_page_token=token)

    async def CallTool(
        self, request: pb.CallToolRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.CallToolResponse:
        caller = caller_of(context)
        hosted = self._executor.pick(request.tool, request.version)
        self._refuse_effects(hosted)
        arguments = arguments_of(request)
        hosted.tool.check(arguments)
        call = self._direct(caller, hosted, arguments, context.time_remaining())
        response = pb.CallToolResponse()
        fill_outcome(response.outcome, await self._executor.call_once(call, hosted))
        return response

    async def GetServerInfo(
        self, request: pb.GetServerInfoRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.GetServerInfoResponse:
        return pb.GetServerInfoResponse(
            version=self._info.version,
            identity=self._identity,
            slots=self._executor.slots,
            in_flight=self._executor.in_flight,
            stuck_threads=self._executor.stuck,
            max_request_bytes=self._info.max_request_bytes,
            max_result_bytes=self._info.max_result_bytes,
            unsafe_call_tool=self._info.unsafe_call_tool,
            journal_position=self._executor.journal_position,
            journal_problem=self._executor.journal_problem,
        )

    def _refuse_effects(self, hosted: Hosted) -> None:
        spec = hosted.tool.spec
        if spec.effect is not Effect.READ and not self._info.unsafe_call_tool:
            text = f"{spec.name} is {spec.effect.value}: it runs by way of an orchestrator, once it was approved"
            raise PreconditionError("NEEDS_APPROVAL", text, violations=[FieldViolation(spec.name, text)])

    def _direct(self, caller: Caller, hosted: Hosted, arguments: str, remaining: float | None) -> Call:
        spec = hosted.tool.spec
        origin = Origin(str(caller.tenant), str(caller.principal), "", "", "", {}, b"")
        return Call(
            id=f"direct/{self._ids.new()}/1",
            origin=origin,
            tool=spec.name,
            version=spec.version,
            arguments=arguments,
            digest=hosted.digest(arguments),
            idempotency_key=self._ids.new(),
            attempt=1,
            agent="",
            timeout=None if remaining is None else max(0.001, min(spec.timeout, remaining)),
            span_id=b"",
        )
