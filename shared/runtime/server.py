"""A gRPC server with what every service has: limits, errors, health, reflection."""

import asyncio
import errno
import re
import socket
from collections.abc import Callable, Sequence
from typing import Any, cast

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from shared.runtime import health
from shared.runtime.departures import take_departures_calmly
from shared.runtime.interceptors import ErrorInterceptor
from shared.runtime.limits import SERVER_OPTIONS

_ADDRESS = re.compile(r"(?:\[([^\s\]]+)\]|([^\s:*]+)):(\d{1,5})")
_LAST_PORT = 65_535
_REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"


def listen_address(text: str) -> tuple[str, int]:
    """Of `HOST:PORT` or `[IPV6]:PORT`; port 0 is a free one. Raises ValueError."""
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match[3]) > _LAST_PORT:  # gRPC itself would take the rest of a division
        raise ValueError(f"{text!r}: an address is HOST:PORT")
    return match[1] or match[2], int(match[3])


class ListenError(Exception):
    """The address cannot be served on; the message says which."""


class GrpcServer:
    """Add services to `grpc`, then `start`. Health answers for the server as a whole ("") and for each service; for
    itself it says SERVING whatever they say, for who wants to know no more than that this process answers.

    `on_lost(name, error)` is told when it has ceased to take calls, and nobody has stopped it. Then it must not be
    stopped either: gRPC would go on with memory that went with its task. Only the end of the process is safe.
    """

    def __init__(
        self,
        listen: str,
        *,
        options: Sequence[tuple[str, Any]] = (),
        on_lost: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        take_departures_calmly()
        self._errors = ErrorInterceptor()
        self.grpc = grpc.aio.server(interceptors=[self._errors], options=[*SERVER_OPTIONS, *options])
        self._listen = listen
        self._health = health.HealthServicer()
        self._services: list[str] = []
        self._on_lost = on_lost
        self._stopping = False

    async def start(self, services: Sequence[str], *, serving: bool = True) -> str:
        """Serves the full names given (and health, and reflection); returns HOST:PORT with the real port.

        Where not yet `serving`, health says so until `serving` is called; handlers may be put before others meanwhile.
        """
        self._services = ["", *services]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        self._add_reflection([*services, health.SERVICE_NAME, reflection.SERVICE_NAME])
        try:
            port = self._bind()
        except ListenError:
            await self.grpc.stop(None)  # neither started nor stopped, it would keep gRPC's thread, and so the process
            raise
        self._health.say(self._services, serving=serving)
        self._health.say([health.SERVICE_NAME], serving=True)
        others = asyncio.all_tasks()
        await self.grpc.start()
        self._watch(asyncio.all_tasks() - others)
        return f"{self._listen.rpartition(':')[0]}:{port}"

    async def serving(self) -> None:
        """Takes `not_serving` back; the handlers that are there now answer."""
        self._errors.forget()
        self._health.say(self._services, serving=True)

    async def not_serving(self) -> None:
        """Says so to who asks for health; what runs goes on."""
        self._health.say(self._services, serving=False)

    async def stop(self, grace: float) -> None:
        """Takes no more RPCs, waits up to `grace` seconds for those that run, cancels the rest."""
        self._stopping = True
        self._health.end()
        await self.grpc.stop(grace)

    def _watch(self, started: set[asyncio.Task[Any]]) -> None:
        """gRPC itself says nothing if the task that accepts calls is cancelled, and has no name for it."""
        for task in started:
            if getattr(task.get_coro(), "__qualname__", "").endswith("_server_main_loop"):
                task.add_done_callback(self._lost)

    def _lost(self, task: asyncio.Task[Any]) -> None:
        if not self._stopping and self._on_lost is not None:
            error = None if task.cancelled() else task.exception()
            self._on_lost("accepting calls", error or asyncio.CancelledError("cancelled, and not by its owner"))

    def _bind(self) -> int:
        try:
            host, port = listen_address(self._listen)
        except ValueError as error:
            raise ListenError(f"cannot listen on {error}") from error
        try:
            _try_to_bind(host, port)
            return self.grpc.add_insecure_port(self._listen)
        except (OSError, UnicodeError, RuntimeError) as error:
            raise ListenError(f"cannot listen on {self._listen}: taken, or no address of this host") from error

    def _add_reflection(self, services: Sequence[str]) -> None:
        servicer: Any = reflection.aio.ReflectionServicer(services)
        cast(Any, reflection_pb2_grpc).add_ServerReflectionServicer_to_server(servicer, self.grpc)
        # v1 has the same messages under another name, and is what newer clients ask for first. It is not listed: there
        # is no description of it to be had.
        handler = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        generic = grpc.method_handlers_generic_handler(_REFLECTION_V1, {"ServerReflectionInfo": handler})
        self.grpc.add_generic_rpc_handlers((generic,))


def _try_to_bind(host: str, port: int) -> None:
    """Raises OSError or UnicodeError where gRPC could not listen: its core would say so on stderr, in its own words.

    A name has several addresses. One that this host lacks is nothing; one that is taken is somebody else's, and the
    name must not lead half of the callers there.
    """
    missing: list[OSError] = []
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in addresses:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC does
                probe.bind(address)
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
            missing.append(error)
    if len(missing) == len(addresses):
        raise missing[0]
