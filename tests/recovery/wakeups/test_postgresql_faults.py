"""LISTEN and NOTIFY in trouble: connections that end, a database that is away, somebody else on the channel."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from orchestrator_svc.adapters.store.postgresql_engines import parse_url
from orchestrator_svc.adapters.wakeups.postgresql import PostgresqlWakeups
from orchestrator_svc.ports.wakeups import Wake, WakeKind
from tests.support.postgresql import PASSWORD, USER, PostgresServer
from tests.support.proxy import CuttableProxy
from tests.support.waking import END, until_end

pytestmark = pytest.mark.postgresql
MISSED = Wake(WakeKind.MISSED)
_END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'greenlight wake-ups'"

Join = Callable[..., Coroutine[Any, Any, PostgresqlWakeups]]


@pytest.fixture
async def url(postgres: PostgresServer) -> AsyncIterator[str]:
    async with postgres.database() as url:
        yield url


@pytest.fixture
async def proxy(postgres: PostgresServer) -> AsyncIterator[CuttableProxy]:
    async with CuttableProxy(f"127.0.0.1:{postgres.port}") as proxy:
        yield proxy


@pytest.fixture
def far(url: str, proxy: CuttableProxy, postgres: PostgresServer) -> str:
    """An address of the database whose way may be cut."""
    return url.replace(str(postgres.port), proxy.address.rpartition(":")[2])


@pytest.fixture
async def join(url: str) -> AsyncIterator[Join]:
    """Another orchestrator, at that address or another."""
    async with AsyncExitStack() as stack:

        async def join(incarnation: str, address: str = url) -> PostgresqlWakeups:
            wakeups = PostgresqlWakeups(parse_url(address), incarnation)
            stack.push_async_callback(wakeups.close)
            await wakeups.start()
            return wakeups

        yield join


async def first(wakeups: PostgresqlWakeups, wanted: Wake) -> None:
    found: list[Wake] = []
    while wanted not in found:
        found += await wakeups.receive()


async def said(caplog: pytest.LogCaptureFixture, text: str) -> None:
    while text not in caplog.text:  # noqa: ASYNC110 - a log
        await asyncio.sleep(0.01)


async def test_a_connection_that_ends_is_made_anew_and_says_that_some_were_missed(
    join: Join, postgres: PostgresServer
) -> None:
    one, two = await join("one"), await join("two")
    await postgres.query("postgres", _END_ALL)
    await first(one, MISSED)
    await first(two, MISSED)
    one.send([END])
    assert await until_end(two) == []
    two.send([END])
    assert await until_end(one) == []


async def test_what_was_sent_meanwhile_goes_out_once_it_is_back(
    join: Join, far: str, proxy: CuttableProxy, caplog: pytest.LogCaptureFixture
) -> None:
    near, cut = await join("near"), await join("cut", far)
    proxy.refusing = True
    await proxy.cut()
    await said(caplog, "no wake-ups from")
    cut.send([Wake(WakeKind.MOVED, "t", "s", "b", head=number) for number in range(1, 4)])
    cut.send([END])
    proxy.refusing = False
    assert await until_end(near) == [Wake(WakeKind.MOVED, "t", "s", "b", head=3)]
    await first(cut, MISSED)


async def test_a_database_that_is_away_is_logged_once_without_its_password(
    join: Join, far: str, proxy: CuttableProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wakeups = await join("one", far)
    before = proxy.connections
    proxy.refusing = True
    await proxy.cut()
    while proxy.connections < before + 4:  # noqa: ASYNC110 - tries
        await asyncio.sleep(0.01)
    proxy.refusing = False
    await first(wakeups, MISSED)
    ours = [record.message for record in caplog.records if record.name.startswith("orchestrator_svc")]
    assert [message.split(" postgresql://")[0] for message in ours] == ["no wake-ups from", "wake-ups come again from"]
    assert PASSWORD not in caplog.text


async def test_away_at_the_start_it_comes_later(
    join: Join, far: str, proxy: CuttableProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.refusing = True
    wakeups = await join("one", far)
    assert "no wake-ups from" in caplog.text
    proxy.refusing = False
    assert await wakeups.receive() == [MISSED]


async def test_it_closes_while_the_database_is_away(join: Join, far: str, proxy: CuttableProxy) -> None:
    wakeups = await join("one", far)
    proxy.refusing = True
    await proxy.cut()
    wakeups.send([END])
    await wakeups.close()


async def test_it_leaves_no_connection(join: Join, postgres: PostgresServer) -> None:
    wakeups = await join("one")
    await wakeups.close()
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'greenlight wake-ups'"
    while (await postgres.query("postgres", count))[0][0]:  # noqa: ASYNC110 - a server
        await asyncio.sleep(0.01)


async def test_two_installations_in_one_database_don_t_wake_each_other(
    join: Join, url: str, postgres: PostgresServer
) -> None:
    database = url.rpartition("/")[2]
    await postgres.query(database, "CREATE SCHEMA other")
    await postgres.query(database, "CREATE ROLE neighbour LOGIN PASSWORD 'n'")
    try:
        await postgres.query(database, "GRANT ALL ON SCHEMA other TO neighbour")
        await postgres.query(database, "ALTER ROLE neighbour SET search_path = other")
        theirs = url.replace(f"{USER}:{PASSWORD}", "neighbour:n")
        mine, second, neighbour = await join("mine"), await join("second"), await join("neighbour", theirs)
        neighbour.send([MISSED, END])
        await asyncio.sleep(0.05)
        mine.send([END])
        assert await until_end(second) == []
    finally:
        await postgres.query(database, "DROP OWNED BY neighbour CASCADE")
        await postgres.query(database, "DROP ROLE neighbour")


async def test_what_somebody_else_says_there_may_have_been_anything(
    join: Join, url: str, postgres: PostgresServer
) -> None:
    wakeups = await join("one")
    database = url.rpartition("/")[2]
    activity = "SELECT query FROM pg_stat_activity WHERE application_name = 'greenlight wake-ups' AND datname = $1"
    ((listen,),) = await postgres.query("postgres", activity, database)
    await postgres.query(database, f"NOTIFY {listen.removeprefix('LISTEN ').rstrip(';')}, 'rubbish'")
    assert await wakeups.receive() == [MISSED]


async def test_what_is_sent_while_one_is_under_way_goes_together(join: Join, far: str, proxy: CuttableProxy) -> None:
    """The answer to the first does not come: the thousand after it are one, not a thousand."""
    near, slow = await join("near"), await join("slow", far)
    slow.send([END])
    assert await until_end(near) == []
    await asyncio.sleep(0.1)  # its answer may come after it is heard, and has to get through
    proxy.swallowing = True
    slow.send([Wake(WakeKind.RELEASED)])
    await near.receive()
    for number in range(1000):
        slow.send([Wake(WakeKind.MOVED, "t", "s", "b", head=number + 1)])
    await asyncio.sleep(0)
    slow.send([Wake(WakeKind.COMMAND, to="near")])
    await proxy.cut()
    proxy.swallowing = False
    found: list[Wake] = []
    while Wake(WakeKind.COMMAND, to="near") not in found:
        found += await near.receive()
    assert [wake for wake in found if wake.kind is WakeKind.MOVED] == [Wake(WakeKind.MOVED, "t", "s", "b", head=1000)]


async def test_what_may_not_have_gone_out_is_sent_again(join: Join, far: str, proxy: CuttableProxy) -> None:
    """No answer comes back while its statement is prepared, then the connection breaks: it never was executed."""
    near, cut = await join("near"), await join("cut", far)
    proxy.swallowing = True
    cut.send([Wake(WakeKind.COMMAND, to="near")])
    await asyncio.sleep(0.05)
    cut.send([END])
    await proxy.cut()
    proxy.swallowing = False
    assert await until_end(near) == [Wake(WakeKind.COMMAND, to="near")]
