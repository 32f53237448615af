"""asyncpg's connects that are cut short leave a future that asyncio complains of: that one, no other, is no error."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from orchestrator_svc.adapters.store.postgresql_log import take_cut_connects_calmly

_LOG = logging.getLogger("asyncio")


@pytest.fixture(autouse=True)
def calmly() -> Iterator[None]:
    before = list(_LOG.filters)
    take_cut_connects_calmly()
    yield
    _LOG.filters[:] = before


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Of a server that takes connections and says nothing."""
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def cut_short(port: int, steps: int) -> None:
    """A connect that is cancelled after so many turns of the loop."""
    connect = asyncpg.connect(host="127.0.0.1", port=port, user="u", database="d")
    connecting = asyncio.ensure_future(connect)
    for _ in range(steps):
        await asyncio.sleep(0)
    connecting.cancel()
    with contextlib.suppress(asyncio.CancelledError, OSError):
        await connecting
    del connecting
    await asyncio.sleep(0)
    gc.collect()


async def test_a_connect_that_is_cut_short_is_told_in_a_line_for_who_looks(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "asyncio")
    for steps in range(60):
        await cut_short(port, steps)
    told = [record for record in caplog.records if "was cut short" in record.getMessage()]
    assert told, "it happens somewhere on the way"
    assert {(record.levelno, record.exc_info) for record in told} == {(logging.DEBUG, None)}
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]


async def test_nobody_else_hears_of_it(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "asyncio")
    for steps in range(60):
        await cut_short(port, steps)
    assert not caplog.records


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("another one"),
        ConnectionResetError("unexpected connection_lost() call"),
        ValueError("unexpected connection_lost() call"),
    ],
)
async def test_every_other_future_is_an_error(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.get_running_loop().create_future().set_exception(error)
    gc.collect()
    assert [(record.levelno, record.exc_info and record.exc_info[1]) for record in caplog.records] == [
        (logging.ERROR, error)
    ]


async def test_so_is_what_else_is_said_of_that_one(caplog: pytest.LogCaptureFixture) -> None:
    error = ConnectionError("unexpected connection_lost() call")
    asyncio.get_running_loop().call_exception_handler({"message": "something else", "exception": error})
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
