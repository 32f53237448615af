"""The containers' health check, against a real server."""

import pytest

from shared.runtime.check_health import check, main
from shared.runtime.server import GrpcServer


async def test_a_server_that_serves_is_well() -> None:
    server = GrpcServer("127.0.0.1:0")
    address = await server.start([])
    assert await check(address) == ""
    await server.stop(0)


async def test_a_server_that_drains_is_not() -> None:
    server = GrpcServer("127.0.0.1:0")
    address = await server.start([])
    await server.not_serving()
    assert await check(address) == f"{address}: NOT_SERVING"
    await server.stop(0)


async def test_nobody_there_is_not_well_and_says_so() -> None:
    server = GrpcServer("127.0.0.1:0")
    address = await server.start([])
    await server.stop(0)
    assert "UNAVAILABLE" in await check(address)


def test_a_wrong_command_line_is_told_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "HOST:PORT" in capsys.readouterr().err
