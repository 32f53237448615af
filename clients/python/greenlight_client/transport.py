"""One channel to an orchestrator: who calls, how long to wait, and the one place where a request is tried again."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

import grpc

from greenlight_client.backoff import Backoff, Patience
from greenlight_client.errors import GreenlightError, error_from_rpc

Request = TypeVar("Request")
Response = TypeVar("Response")

TENANT_METADATA_KEY = "greenlight-tenant"
PRINCIPAL_METADATA_KEY = "greenlight-principal"

# Pings agree with what the services permit; a lost server is found again within two seconds of its return.
_OPTIONS: list[tuple[str, int]] = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]
_LOOPBACK = ("127.", "localhost", "[::1]")


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
        self.server = server
        self.timeout = timeout
        self.reconnect_for = reconnect_for
        self._retry_for = retry_for
        self._backoff = backoff
        self._own_metadata = _own_metadata(tenant, principal)
        self._more_metadata = metadata
        options = channel_options(server)
        self.channel = (
            grpc.aio.secure_channel(server, credentials, options=options)
            if credentials is not None
            else grpc.aio.insecure_channel(server, options=options)
        )

    async def close(self) -> None:
        """Ends the channel, and with it what still runs on it."""
        await self.channel.close()

    def metadata(self) -> grpc.aio.Metadata:
        """What each request carries: tenant, principal, and what the user's own callback adds."""
        pairs = list(self._own_metadata)
        if self._more_metadata is not None:
            pairs += self._more_metadata().items()
        return grpc.aio.Metadata(*pairs)

    def patience(self) -> Patience:
        """For one request."""
        return Patience(self._backoff, self._retry_for)

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
            await pause(patience, error)


async def pause(
    patience: Patience, error: GreenlightError, on_retry: Callable[[GreenlightError], None] | None = None
) -> None:
    """Waits before the next try; raises `error` where there is to be none."""
    delay = patience.delay_after(error)
    if delay is None:
        raise error
    if on_retry is not None:
        on_retry(error)
    await asyncio.sleep(delay)


def channel_options(server: str) -> list[tuple[str, int]]:
    """Keepalive and reconnection; a loopback address is never sought through an HTTP proxy."""
    return [*_OPTIONS, ("grpc.enable_http_proxy", 0)] if server.startswith(_LOOPBACK) else list(_OPTIONS)


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
