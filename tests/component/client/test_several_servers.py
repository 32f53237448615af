"""A client of several orchestrators: who is asked, and who is asked next."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from greenlight_client import Backoff, DeadlineError, GreenlightClient, UnavailableError
from tests.support.name_server import NameServer
from tests.support.scripted_orchestrator import SERVICE, ScriptedOrchestrator

Pair = tuple[ScriptedOrchestrator, ScriptedOrchestrator]
_SOON = Backoff(0.01, 0.05)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with ScriptedOrchestrator("a") as a, ScriptedOrchestrator("b") as b:
        yield a, b


@pytest.fixture(params=["a list", "one target"])
def server(request: pytest.FixtureRequest, pair: Pair) -> str:
    """Both of the pair: chosen by the client, or by gRPC."""
    listed = ",".join(one.address for one in pair)
    return listed if request.param == "a list" else f"ipv4:{listed}"


async def _answer(client: GreenlightClient) -> str:
    return (await client.server_info()).version


async def _until_only(client: GreenlightClient, name: str) -> None:
    """It is not so long ago that the other one did not serve: health comes over a stream of its own."""
    while {await _answer(client) for _ in range(4)} != {name}:  # noqa: ASYNC110 - another's health
        await asyncio.sleep(0.01)


async def test_one_that_does_not_serve_is_not_asked(pair: Pair, server: str) -> None:
    a, b = pair
    async with GreenlightClient(server, backoff=_SOON) as client:
        for gone, other in ((a, b), (b, a)):
            await gone.server.not_serving()
            await _until_only(client, other.name)
            before = gone.asked
            assert {await _answer(client) for _ in range(20)} == {other.name}
            assert gone.asked == before
            await gone.server.serving()


async def test_one_that_drains_is_left_at_once_whatever_it_says_of_itself(pair: Pair, server: str) -> None:
    """Its health may come later than its refusal, which says to come again in an hour."""
    a, b = pair
    async with GreenlightClient(server, backoff=_SOON) as client:
        for gone, other in ((a, b), (b, a)):
            gone.refusing = True
            assert {await _answer(client) for _ in range(20)} == {other.name}
            gone.refusing = False


async def test_one_that_drops_requests_is_left(pair: Pair, server: str) -> None:
    a, _ = pair
    a.dropping = True
    async with GreenlightClient(server, backoff=_SOON) as client:
        assert {await _answer(client) for _ in range(10)} == {"b"}


async def test_one_that_is_gone_is_left(pair: Pair, server: str) -> None:
    a, _ = pair
    async with GreenlightClient(server, backoff=_SOON) as client:
        assert await _answer(client) in ("a", "b")
        await a.server.stop(0)
        assert {await _answer(client) for _ in range(20)} == {"b"}


async def test_one_that_does_not_answer_in_time_is_left(pair: Pair, server: str) -> None:
    a, _ = pair
    a.silent = True
    async with GreenlightClient(server, backoff=_SOON, timeout=0.2) as client:
        assert {await _answer(client) for _ in range(4)} == {"b"}


async def test_alone_it_is_believed(pair: Pair) -> None:
    """With nobody else to ask, time and refusal are what they say."""
    a, _ = pair
    async with GreenlightClient(a.address, timeout=0.2) as client:
        a.silent = True
        with pytest.raises(DeadlineError):
            await client.server_info()
        a.silent, a.refusing = False, True
        with pytest.raises(UnavailableError) as caught:
            await client.server_info()
        assert caught.value.reason == "DRAINING"


async def test_when_none_serves_it_is_given_up_in_time(pair: Pair, server: str) -> None:
    for one in pair:
        await one.server.not_serving()
    async with GreenlightClient(server, backoff=_SOON, retry_for=0.3) as client:
        with pytest.raises(UnavailableError, match="unhealthy"):
            await client.server_info()
        await pair[1].server.serving()
        await _until_only(client, "b")


async def test_one_that_comes_back_is_asked_at_once(pair: Pair, server: str) -> None:
    """Not when the next try would have been."""
    for one in pair:
        await one.server.not_serving()
    async with GreenlightClient(server, backoff=Backoff(1000.0, 1000.0), retry_for=10_000.0) as client:
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(_answer(client))
            await asyncio.sleep(0.1)
            await pair[1].server.serving()
        assert asking.result() == "b"


async def test_of_a_list_one_is_kept_to(pair: Pair) -> None:
    async with GreenlightClient(", ".join(one.address for one in pair)) as client:
        assert len({await _answer(client) for _ in range(20)}) == 1


async def test_behind_one_name_all_are_asked(pair: Pair) -> None:
    async with GreenlightClient("ipv4:" + ",".join(one.address for one in pair)) as client:
        while len({await _answer(client) for _ in range(4)}) < 2:
            pass


async def test_who_joins_and_who_leaves_a_name_is_noticed() -> None:
    """Servers end their connections from time to time, gracefully: only then does gRPC look the name up again."""
    short_lived = [("grpc.max_connection_age_ms", 200)]
    async with NameServer(["127.0.0.1"]) as names, ScriptedOrchestrator("a", options=short_lived) as a:
        port = a.address.rpartition(":")[2]
        target = f"dns://127.0.0.1:{names.port}/greenlight.test.:{port}"
        async with GreenlightClient(target, backoff=_SOON) as client:
            assert await _answer(client) == "a"
            async with ScriptedOrchestrator("b", f"127.0.0.2:{port}", short_lived):
                names.addresses = ["127.0.0.1", "127.0.0.2"]
                while await _answer(client) != "b":  # noqa: ASYNC110 - another's address
                    await asyncio.sleep(0.01)
                names.addresses = ["127.0.0.2"]
                await _until_only(client, "b")
                names.addresses = ["127.0.0.1"]
            assert await _answer(client) == "a"


async def test_who_watches_health_does_not_hold_up_a_stop() -> None:
    messages: Any = health_pb2
    async with ScriptedOrchestrator("a") as a, grpc.aio.insecure_channel(a.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watching = stub.Watch(messages.HealthCheckRequest(service=SERVICE))
        unknown = stub.Watch(messages.HealthCheckRequest(service="nobody"))
        assert (await watching.read()).status == messages.HealthCheckResponse.SERVING
        assert (await unknown.read()).status == messages.HealthCheckResponse.SERVICE_UNKNOWN
        await a.server.not_serving()
        assert (await watching.read()).status == messages.HealthCheckResponse.NOT_SERVING
        alive = await stub.Check(messages.HealthCheckRequest(service="grpc.health.v1.Health"))
        assert alive.status == messages.HealthCheckResponse.SERVING, "the process answers"
        await a.server.stop(3600)
        assert await watching.read() is grpc.aio.EOF
