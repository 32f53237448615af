"""A name server of the test's own, for whatever looks names up on the running loop."""

import asyncio
import socket
from typing import Any, Self

import pytest


class Name:
    """Every name stands for `addresses` (HOST:PORT each, whatever port was asked for)."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    @classmethod
    def install(cls, monkeypatch: pytest.MonkeyPatch) -> Self:
        name = cls()
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", name._getaddrinfo)
        return name

    async def _getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        pairs = [address.rsplit(":", 1) for address in self.addresses]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, int(found))) for ip, found in pairs]
