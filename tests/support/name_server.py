"""A name server of a test's own: one name, whose addresses the test sets."""

import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import Self

_HEADER = struct.Struct("!HHHHHH")
_A, _IN, _RESPONSE = 1, 1, 0x8400


class NameServer(asyncio.DatagramProtocol):
    """Answers questions for IPv4 addresses, of whatever name, with `addresses`; there are no others."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = list(addresses)
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._transport is not None
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._transport.sendto(self._answer(data), addr)

    def _answer(self, data: bytes) -> bytes:
        number = _HEADER.unpack_from(data)[0]
        end = data.index(b"\0", _HEADER.size) + 5
        question, (kind, _) = data[_HEADER.size : end], struct.unpack_from("!HH", data, end - 4)
        found = self.addresses if kind == _A else []
        answers = [struct.pack("!HHHIH", 0xC00C, _A, _IN, 0, 4) + socket.inet_aton(one) for one in found]
        return _HEADER.pack(number, _RESPONSE, 1, len(answers), 0, 0) + question + b"".join(answers)
