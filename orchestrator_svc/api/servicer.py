"""The API: which handler answers which RPC, and how it is put on a server.

A handler maps in, calls a use case and maps out. What it raises becomes a status by the server's interceptor.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import grpc
import grpc.aio
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from greenlight.orchestrator.v1 import orchestrator_pb2
from orchestrator_svc.api.callers import Callers
from orchestrator_svc.api.conversing import Conversing
from orchestrator_svc.api.deciding import Deciding
from orchestrator_svc.api.finishing import Finishing
from orchestrator_svc.api.looking import Looking
from orchestrator_svc.api.steering import Steering
from orchestrator_svc.api.streaming import Stream
from orchestrator_svc.api.submitting import Submitting
from orchestrator_svc.api.use_cases import ServerFacts, UseCases
from orchestrator_svc.api.watching import Watching
from orchestrator_svc.application.caller import Caller

_SERVICE = orchestrator_pb2.DESCRIPTOR.services_by_name["OrchestratorService"]
SERVICE_NAME: str = _SERVICE.full_name

Context = grpc.aio.ServicerContext[Any, Any]
Unary = Callable[[Any, Caller], Coroutine[Any, Any, Message]]
Streaming = Callable[[Any, Caller, Stream], Awaitable[None]]


class OrchestratorApi:
    """`mutations` go on though their client goes away. `allowed_tenants` None: all."""

    def __init__(self, use_cases: UseCases, facts: ServerFacts, allowed_tenants: frozenset[str] | None = None) -> None:
        self.callers = Callers(allowed_tenants)
        self.finishing = Finishing()
        submitting, deciding = Submitting(use_cases, self.finishing), Deciding(use_cases, self.finishing)
        watching, steering = Watching(use_cases), Steering(use_cases)
        looking, conversing = Looking(use_cases, facts), Conversing(use_cases)
        self.streams: dict[str, Streaming] = {
            "RunBatch": submitting.run_batch,
            "WatchBatch": watching.watch_batch,
            "WatchSession": watching.watch_session,
            "SoftConfirm": deciding.soft_confirm,
        }
        self.mutations: dict[str, Unary] = {
            "SubmitBatch": submitting.submit_batch,
            "AddProposals": submitting.add_proposals,
            "CloseBatch": submitting.close_batch,
            "DecideProposals": deciding.decide_proposals,
            "CancelBatch": steering.cancel_batch,
            "CancelProposals": steering.cancel_proposals,
            "RetryProposals": steering.retry_proposals,
            "ResumeBatch": steering.resume_batch,
            "ResolveProposal": steering.resolve_proposal,
            "CreateSession": conversing.create_session,
            "UpdateSession": conversing.update_session,
        }
        self.reads: dict[str, Unary] = {
            "ListEvents": watching.list_events,
            "WaitBatch": watching.wait_batch,
            "GetBatch": looking.get_batch,
            "ListBatches": looking.list_batches,
            "GetProposal": looking.get_proposal,
            "ListProposals": looking.list_proposals,
            "ListTools": looking.list_tools,
            "ListExecutors": looking.list_executors,
            "ListTemplates": looking.list_templates,
            "GetTemplate": looking.get_template,
            "GetSession": conversing.get_session,
            "ListSessions": conversing.list_sessions,
            "GetServerInfo": looking.get_server_info,
            "PruneBatches": steering.prune_batches,  # ends with its client, between two slices; a repeat does the rest
        }

    async def drain(self) -> None:
        """Until no mutation is under way any more, with or without its client."""
        await self.finishing.drain()


def add_to_server(api: OrchestratorApi, server: grpc.aio.Server) -> list[str]:
    """Returns the full names of the services added."""
    handlers = {method.name: _handler(api, method) for method in _SERVICE.methods}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE.full_name, handlers),))
    return [_SERVICE.full_name]


def _handler(api: OrchestratorApi, method: MethodDescriptor) -> Any:
    """Requests are parsed within the handler: one that is no message is the caller's fault, and is told so."""
    make: Any = grpc
    read = message_factory.GetMessageClass(method.input_type).FromString
    if method.name in api.streams:
        return make.unary_stream_rpc_method_handler(_streaming(api, api.streams[method.name], read))
    mutation = method.name in api.mutations
    unary = api.mutations[method.name] if mutation else api.reads[method.name]
    write = message_factory.GetMessageClass(method.output_type).SerializeToString
    behave = _mutating(api, unary, read) if mutation else _reading(api, unary, read)
    return make.unary_unary_rpc_method_handler(behave, response_serializer=write)


def _streaming(api: OrchestratorApi, run: Streaming, read: Callable[[bytes], Message]) -> Any:
    async def stream(data: bytes, context: Context) -> None:
        caller = api.callers.of(context)
        await run(read(data), caller, Stream(context))

    return stream


def _mutating(api: OrchestratorApi, unary: Unary, read: Callable[[bytes], Message]) -> Any:
    async def mutate(data: bytes, context: Context) -> Message:
        caller = api.callers.of(context)
        return await api.finishing.run(unary(read(data), caller))

    return mutate


def _reading(api: OrchestratorApi, unary: Unary, read: Callable[[bytes], Message]) -> Any:
    async def look(data: bytes, context: Context) -> Message:
        caller = api.callers.of(context)
        return await unary(read(data), caller)

    return look
