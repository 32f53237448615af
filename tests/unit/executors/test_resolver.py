"""Names of executors: read with care, looked up again and again, kept while a name server is away."""

import asyncio
import socket
from typing import Any

import pytest

from orchestrator_svc.adapters.executor.grpc import GrpcExecutors
from orchestrator_svc.adapters.executor.resolver import Endpoint, Resolver
from shared.kernel.clock import SystemClock


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("localhost:50052", "localhost", 50052),
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("[::1]:50052", "::1", 50052),
        (" executor.default.svc:50052 ", "executor.default.svc", 50052),
    ],
)
def test_addresses_are_read(text: str, host: str, port: int):
    assert Endpoint.parse(text) == Endpoint(host, port)


@pytest.mark.parametrize(
    "text", ["", "executor", "executor:", ":50052", "executor:0", "executor:65536", "::1:5", "a b:1"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        Endpoint.parse(text)


class _Names:
    """Stands for the name server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, list[str]] = {}
        self.trouble: Exception = socket.gaierror(socket.EAI_AGAIN, "not now")

        async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            if host not in self.answers:
                raise self.trouble
            return [
                (socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))
                for ip in self.answers[host]
            ]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def test_all_addresses_of_all_names(monkeypatch: pytest.MonkeyPatch):
    names = _Names(monkeypatch)
    names.answers = {"one": ["10.0.0.1", "10.0.0.2", "10.0.0.1"], "two": ["fd00::1", "10.0.0.2"]}
    one, two = Endpoint("one", 5), Endpoint("two", 5)
    resolver = Resolver([one, two, one])
    assert await resolver.resolve() == {
        "ipv4:10.0.0.1:5": one,
        "ipv4:10.0.0.2:5": one,
        "ipv6:[fd00::1]:5": two,
    }


async def test_replicas_come_and_go(monkeypatch: pytest.MonkeyPatch):
    names = _Names(monkeypatch)
    resolver = Resolver([Endpoint("one", 5)])
    names.answers = {"one": ["10.0.0.1"]}
    assert set(await resolver.resolve()) == {"ipv4:10.0.0.1:5"}
    names.answers = {"one": ["10.0.0.2"]}
    assert set(await resolver.resolve()) == {"ipv4:10.0.0.2:5"}


@pytest.mark.parametrize(
    "trouble", [socket.gaierror(socket.EAI_AGAIN, "not now"), RuntimeError("can't start new thread"), MemoryError()]
)
async def test_a_name_server_that_is_away_takes_nothing_away(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    names = _Names(monkeypatch)
    names.trouble = trouble
    resolver = Resolver([Endpoint("one", 5), Endpoint("two", 5)])
    names.answers = {"one": ["10.0.0.1"], "two": ["10.0.0.2"]}
    both = await resolver.resolve()
    del names.answers["one"]
    assert await resolver.resolve() == both
    assert await resolver.resolve() == both
    assert len(caplog.records) == 1


async def test_where_nobody_follows_the_names_any_more_the_service_is_told(monkeypatch: pytest.MonkeyPatch):
    names, told = _Names(monkeypatch), asyncio.get_running_loop().create_future()
    names.trouble = ZeroDivisionError("what nobody foresaw")
    executors = GrpcExecutors(
        ["one:5"],
        incarnation_id="i",
        version="0",
        clock=SystemClock(),
        on_failure=lambda name, error: told.set_result((name, error)),
    )
    await executors.start()
    assert await told == ("executors: names", names.trouble)
    await executors.close()
