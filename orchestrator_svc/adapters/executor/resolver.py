"""From `HOST:PORT` settings to the addresses behind them.

Looked up again and again, so that replicas that come and go are noticed without a connection having to break.
"""

import asyncio
import logging
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

_log = logging.getLogger(__name__)
_ENDPOINT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A name and a port, as somebody set them."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Of `HOST:PORT` or `[IPV6]:PORT`. Raises ValueError."""
        match = _ENDPOINT.fullmatch(text.strip())
        if match is None or not 0 < int(match["port"]) < 65_536:
            raise ValueError(f"{text!r} is not an address: expected HOST:PORT, for example executor:50052")
        return cls(match["v6"] or match["host"], int(match["port"]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Resolver:
    """Knows the addresses (gRPC targets: `ipv4:1.2.3.4:50052`) of some endpoints.

    While a name cannot be looked up, what it stood for before is kept: a name server that is away for a moment must not
    cut streams that work.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = list(dict.fromkeys(endpoints))
        self._found: dict[Endpoint, list[str]] = {}
        self._failing: set[Endpoint] = set()

    async def resolve(self) -> dict[str, Endpoint]:
        """Address -> the first endpoint that stands for it."""
        for endpoint in self._endpoints:
            await self._resolve(endpoint)
        return {
            address: endpoint for endpoint in reversed(self._endpoints) for address in self._found.get(endpoint, ())
        }

    async def _resolve(self, endpoint: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, RuntimeError, MemoryError) as error:  # it takes a thread, and there may be none
            if endpoint not in self._failing:
                self._failing.add(endpoint)
                _log.warning("the executors' name %s cannot be looked up: %s", endpoint, error)
            return
        self._failing.discard(endpoint)
        self._found[endpoint] = list(dict.fromkeys(_target(answer[0], answer[4]) for answer in answers))


def _target(family: int, address: Sequence[object]) -> str:
    host, port = address[0], address[1]
    return f"ipv6:[{host}]:{port}" if family == socket.AF_INET6 else f"ipv4:{host}:{port}"
