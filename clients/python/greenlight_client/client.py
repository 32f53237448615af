"""The client: opened by `async with`, every RPC of the orchestrator by a short name."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import grpc

from greenlight_client.backoff import Backoff
from greenlight_client.deciding import Deciding
from greenlight_client.operating import Operating
from greenlight_client.submitting import Submitting
from greenlight_client.transport import Transport

DEFAULT_SERVER = "127.0.0.1:50051"


class GreenlightClient(Submitting, Deciding, Operating):
    """A caller of one orchestrator, or of several that serve the same, for one tenant and principal.

    Methods return the generated messages, raise the errors of `greenlight_client.errors`, and give each mutation a
    request id of its own, so that trying again after a lost answer does nothing twice. Any number of tasks of one
    event loop may use it at once.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        tenant: str | None = None,
        principal: str | None = None,
        timeout: float = 30.0,
        retry_for: float = 30.0,
        reconnect_for: float = 300.0,
        backoff: Backoff | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        """Says what to connect to; `async with` connects.

        `server` is "host:port"; "dns:///name:port" is every server behind a name, and several may be divided by commas.
        `principal` is "kind:name". `timeout` is that of one unary request, in seconds. A server that is not there is
        tried again, of several another one, for `retry_for` seconds; a stream that was connected, for `reconnect_for`.
        `credentials` make it TLS. `metadata` is asked at each request for more to send, for example a `traceparent`.
        `async with` raises ValueError for a server, tenant or principal that cannot be.
        """
        self._server = server
        self._tenant = tenant
        self._principal = principal
        self._timeout = timeout
        self._retry_for = retry_for
        self._reconnect_for = reconnect_for
        self._backoff = backoff or Backoff()
        self._credentials = credentials
        self._metadata = metadata

    @property
    def server(self) -> str:
        """The target."""
        return self._server

    async def __aenter__(self) -> Self:
        self._open_transport = Transport(
            self._server,
            tenant=self._tenant,
            principal=self._principal,
            timeout=self._timeout,
            retry_for=self._retry_for,
            reconnect_for=self._reconnect_for,
            backoff=self._backoff,
            credentials=self._credentials,
            metadata=self._metadata,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        transport, self._open_transport = self._open_transport, None
        if transport is not None:
            await transport.close()
