"""Requests to the orchestrator: who calls, how long to wait, and the one place where a request is tried again."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import grpc

from greenlight.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from greenlight_client.backoff import Backoff, Patience
from greenlight_client.errors import GreenlightError, error_from_rpc
from greenlight_client.servers import Servers

Request = TypeVar("Request")
Response = TypeVar("Response")

TENANT_METADATA_KEY = "greenlight-tenant"
PRINCIPAL_METADATA_KEY = "greenlight-principal"


class Transport:
    """Opened and closed by the client; made inside the event loop that uses it."""

    def __init__(
        self,
        server: str,
        *,
        tenant: str | None,
        principal: str | None,
        timeout: float,
        retry_for: float,
        reconnect_for: float,
        backoff: Backoff,
        credentials: grpc.ChannelCredentials | None,
        metadata: Callable[[], Mapping[str, str]] | None,
    ) -> None:
        self.timeout = timeout
        self.reconnect_for = reconnect_for
        self._retry_for = retry_for
        self._backoff = backoff
        self._own_metadata = _own_metadata(tenant, principal)
        self._more_metadata = metadata
        self._servers = Servers(server, credentials)

    @property
    def stub(self) -> OrchestratorServiceStub:
        """Of the server, or of whichever is chosen at each request."""
        return self._servers.stub

    async def close(self) -> None:
        """Ends the channels, and with them what still runs on them."""
        await self._servers.close()

    def metadata(self) -> grpc.aio.Metadata:
        """What each request carries: tenant, principal, and what the user's own callback adds."""
        pairs = list(self._own_metadata)
        if self._more_metadata is not None:
            pairs += self._more_metadata().items()
        return grpc.aio.Metadata(*pairs)

    def patience(self) -> Patience:
        """For one request."""
        return Patience(self._backoff, self._retry_for, elsewhere=self._servers.several)

    async def unary(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        timeout: float | None = None,
    ) -> Response:
        """Sends until there is an answer. A mutation carries its request id, so that a lost answer is fetched again."""
        patience = self.patience()
        while True:
            try:
                return await method(request, metadata=self.metadata(), timeout=timeout or self.timeout)
            except grpc.aio.AioRpcError as raised:
                error = error_from_rpc(raised)
            await self.pause(patience, error)

    async def pause(
        self,
        patience: Patience,
        error: GreenlightError,
        on_retry: Callable[[GreenlightError], None] | None = None,
    ) -> None:
        """Waits before the next try, which goes elsewhere if it can; raises `error` where there is to be none."""
        delay = patience.delay_after(error)
        if delay is None:
            raise error
        if on_retry is not None:
            on_retry(error)
        self._servers.move_on()
        await self._servers.rest(delay)


def _own_metadata(tenant: str | None, principal: str | None) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, key, value in (
        ("tenant", TENANT_METADATA_KEY, tenant),
        ("principal", PRINCIPAL_METADATA_KEY, principal),
    ):
        if value is None:
            continue
        if not value or not value.isascii() or not value.isprintable():
            raise ValueError(f"{name} must be visible ASCII characters, not {value!r}")
        pairs.append((key, value))
    return pairs
