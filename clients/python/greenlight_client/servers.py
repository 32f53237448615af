"""The way to one orchestrator, or to several that serve the same: which targets there are, and who is asked next.

Behind one name gRPC itself spreads the requests (`round_robin`); of a list one server is kept to, as long as it serves.
Either way gRPC watches the health of each, and asks none that drains or stands by.
"""

import asyncio
import random
import re
import time
from collections.abc import Sequence
from typing import Any, cast

import grpc

from greenlight.orchestrator.v1 import orchestrator_pb2
from greenlight.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub

# Pings agree with what the services permit; a lost server is found again within two seconds of its return, and a name
# is looked up again as soon as a connection breaks.
_OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # else 60 s, whatever keepalive says
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
]
_LOOPBACK = ("127.", "localhost", "[::1]")
_MANY = ("dns:", "ipv4:", "ipv6:")
_LISTS = ("ipv4:", "ipv6:")  # in these commas are gRPC's own
_OTHERS = ("unix:", "unix-abstract:", "vsock:", "xds:")  # gRPC's, which have no port
_SCHEME = re.compile(r"dns:(//[^/]*/)?|ipv4:|ipv6:")
_ADDRESS = re.compile(r"(\[[^\s\[\]]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
_SERVICE: str = orchestrator_pb2.DESCRIPTOR.services_by_name["OrchestratorService"].full_name
SERVICE_CONFIG = (
    '{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": "' + _SERVICE + '"}}'
)
_SERVING = (grpc.ChannelConnectivity.READY,)
_LOOK = 0.02
_HOPEFUL = (grpc.ChannelConnectivity.IDLE, grpc.ChannelConnectivity.CONNECTING)


class Servers:
    """What is called is `stub`. `several`: a request that one of them did not answer may be answered by another."""

    def __init__(self, server: str, credentials: grpc.ChannelCredentials | None) -> None:
        """Raises ValueError where `server` is no address."""
        found = targets(server)
        self.several = len(found) > 1 or found[0].startswith(_MANY)
        self._channels = [_open(target, credentials, spread=self.several) for target in found]
        self._stubs = [OrchestratorServiceStub(channel) for channel in self._channels]
        self._current = random.randrange(len(found))
        self.stub = self._stubs[0] if len(found) == 1 else cast(OrchestratorServiceStub, _Chosen(self))

    async def close(self) -> None:
        """Ends the channels, and with them what still runs."""
        for channel in self._channels:
            await channel.close()

    def move_on(self) -> None:
        """The present one did not answer: the next request goes to the next one."""
        self._current = (self._current + 1) % len(self._channels)

    async def rest(self, delay: float) -> None:
        """For so many seconds; or, where none serves now, until one does."""
        until, serves = time.monotonic() + delay, self._serves()
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(left if serves else min(left, _LOOK))
            if not serves and self._serves():
                return

    def _serves(self) -> bool:
        return any(channel.get_state(try_to_connect=True) in _SERVING for channel in self._channels)

    def choose(self) -> OrchestratorServiceStub:
        """The present one, if it serves; else the next one that does; while none is known to, the next that may yet."""
        states = [channel.get_state(try_to_connect=True) for channel in self._channels]
        order = [(self._current + step) % len(states) for step in range(len(states))]
        for wanted in (_SERVING, _HOPEFUL):
            found = next((number for number in order if states[number] in wanted), None)
            if found is not None:
                self._current = found
                break
        return self._stubs[self._current]


class _Chosen:
    """Looks like a stub; each request goes to the server that is chosen then."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def __getattr__(self, method: str) -> Any:
        def call(request: Any, **options: Any) -> Any:
            return getattr(self._servers.choose(), method)(request, **options)

        return call


def targets(server: str) -> list[str]:
    """The entries of a list divided by commas. Raises ValueError where one is no HOST:PORT."""
    found = [server] if server.startswith(_LISTS) else [part.strip() for part in server.split(",")]
    if not all(map(_is_target, found)):
        raise ValueError(f"server must be HOST:PORT, or several divided by commas, not {server!r}")
    return found


def _is_target(target: str) -> bool:
    # What gRPC makes of it otherwise is another server: no port is 443, and 65,537 is 1.
    if target.startswith(_OTHERS):
        return True
    addresses = (_ADDRESS.fullmatch(part.strip()) for part in _SCHEME.sub("", target, count=1).split(","))
    return all(address is not None and 0 < int(address[2]) < 65_536 for address in addresses)


def channel_options(target: str, *, spread: bool = False) -> Sequence[tuple[str, int | str]]:
    """Keepalive and reconnection; a loopback address is never sought through an HTTP proxy."""
    options = list(_OPTIONS)
    if target.removeprefix("dns:").removeprefix("ipv4:").removeprefix("ipv6:").lstrip("/").startswith(_LOOPBACK):
        options.append(("grpc.enable_http_proxy", 0))
    if spread:
        options.append(("grpc.service_config", SERVICE_CONFIG))
    return options


def _open(target: str, credentials: grpc.ChannelCredentials | None, *, spread: bool) -> grpc.aio.Channel:
    options = channel_options(target, spread=spread)
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=options)
    return grpc.aio.secure_channel(target, credentials, options=options)
