"""Several orchestrators on one database: a start that was ended writes nothing more, and nobody waits for it."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store import postgresql_engines, postgresql_fence
from orchestrator_svc.adapters.store.postgresql import PostgresqlStore
from orchestrator_svc.adapters.store.postgresql_fence import Lane, Mark, fence
from orchestrator_svc.adapters.store.postgresql_lease import writer_name
from orchestrator_svc.adapters.store.writing import apply
from orchestrator_svc.domain.changes import merge
from orchestrator_svc.ports.ownership import Lease
from orchestrator_svc.ports.store import KEEP_STARTS
from shared.kernel.errors import UnavailableError
from tests.support.batches import START, Builder, judged
from tests.support.postgresql import PostgresServer
from tests.support.stores import PostgresqlOpener, WholeStore, commit, submitted, taken_due

pytestmark = pytest.mark.postgresql

ONE, TWO = "one-1", "two-1"


@pytest.fixture
async def url(postgres: PostgresServer) -> AsyncIterator[str]:
    async with postgres.database(await postgres.migrated()) as url:
        yield url


@pytest.fixture
async def one(url: str) -> AsyncIterator[WholeStore]:
    opener = PostgresqlOpener(url, prefix="one")
    yield await opener.open()
    await opener.close()


@pytest.fixture
async def two(url: str) -> AsyncIterator[WholeStore]:
    opener = PostgresqlOpener(url, prefix="two")
    yield await opener.open()
    await opener.close()


async def busy(store: WholeStore, incarnation: str = ONE) -> Builder:
    builder = Builder(incarnation=incarnation)
    return await submitted(store, builder, builder.submit([judged("a")]))


async def lease_of(other: WholeStore, incarnation: str = ONE) -> Lease:
    (lease,) = [lease for lease in (await other.renew()).others if lease.incarnation == incarnation]
    return lease


@asynccontextmanager
async def transaction(url: str, name: str, incarnation: str = ONE) -> AsyncIterator[AsyncConnection]:
    """One that has passed its orchestrator's fence."""
    engine = postgresql_engines.writer_engine(postgresql_engines.parse_url(url), name)
    async with engine.connect() as connection:
        await connection.run_sync(fence, incarnation, Mark(Lane.CHANGES, 1_000))
        yield connection
    await engine.dispose()


async def until_waiting(postgres: PostgresServer, name: str) -> None:
    """Until a connection waits for a lock."""
    sql = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'"
    while not await postgres.query("postgres", sql, name):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)


async def test_what_passed_the_fence_is_waited_for(
    one: WholeStore, two: WholeStore, url: str, postgres: PostgresServer
) -> None:
    """Else it would write after another orchestrator has what it writes."""
    builder, lease = await busy(one), await lease_of(two)
    async with transaction(url, "not known as its own") as late, asyncio.TaskGroup() as tasks:
        superseding = tasks.create_task(two.supersede(lease))
        await until_waiting(postgres, writer_name(TWO))
        await late.exec_driver_sql("UPDATE batches SET name = 'late'")
        await late.commit()
    assert superseding.result()
    assert [(batch.id, batch.name) for batch in await taken_due(two, 0)] == [(builder.batch.id, "late")]


async def test_without_the_lock_of_its_fence_what_passed_it_is_lost(
    one: WholeStore, two: WholeStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it: a new batch is there, of a start that has been ended, and nobody takes it."""
    sql = postgresql_fence._FENCE
    assert " FOR KEY SHARE" in sql
    builder, lease, new = await busy(one), await lease_of(two), Builder(incarnation=ONE)
    monkeypatch.setattr(postgresql_fence, "_FENCE", sql.replace(" FOR KEY SHARE", ""))
    async with transaction(url, "not known as its own") as late:
        await late.run_sync(apply, merge(new.submit([judged("a")]).parts()), ProtobufEventCodec(), START)
        assert await two.supersede(lease)
        await late.commit()
    assert await two.get_batch("default", new.batch.id) is not None
    assert [batch.id for batch in await taken_due(two, 0)] == [builder.batch.id]


async def test_what_passed_the_fence_is_waited_for_by_who_ends_itself(
    one: WholeStore, two: WholeStore, url: str, postgres: PostgresServer
) -> None:
    """Its connection broke in the middle of COMMIT, say. Else a new batch would be of a start that nobody ends."""
    builder = await busy(one)
    async with transaction(url, "not known as its own") as late, asyncio.TaskGroup() as tasks:
        new = Builder(incarnation=ONE)
        writes = merge(new.submit([judged("a")]).parts())
        await late.run_sync(apply, writes, ProtobufEventCodec(), START)
        ending = tasks.create_task(one.end())
        waiting = tasks.create_task(until_waiting(postgres, writer_name(ONE)))
        await asyncio.wait([ending, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await late.commit()
    assert {batch.id for batch in await taken_due(two, 0)} == {builder.batch.id, new.batch.id}


async def test_one_that_is_paused_in_the_middle_of_a_transaction_keeps_nobody_waiting(
    one: WholeStore, two: WholeStore, url: str
) -> None:
    builder, lease = await busy(one), await lease_of(two)
    async with transaction(url, writer_name(ONE)) as paused:
        await paused.exec_driver_sql("SELECT 1 FROM batches FOR UPDATE")
        assert await two.supersede(lease)
        assert [batch.id for batch in await taken_due(two, 0)] == [builder.batch.id]
        await paused.invalidate()


async def test_who_lives_keeps_its_connections(
    one: WholeStore, two: WholeStore, url: str, postgres: PostgresServer
) -> None:
    sql = "SELECT pid FROM pg_stat_activity WHERE application_name = $1"
    builder, lease = await busy(one), await lease_of(two)
    before = await postgres.query("postgres", sql, writer_name(ONE))
    await one.renew()
    assert not await two.supersede(lease)
    assert await postgres.query("postgres", sql, writer_name(ONE)) == before != []
    assert not (await commit(one, builder.dispatch("a"))).lost


async def test_a_lease_is_renewed_beside_a_commit_that_hangs(one: WholeStore, two: WholeStore, url: str) -> None:
    """Its connection is another, and so is its lock."""
    assert isinstance(one, PostgresqlStore)
    lease = await lease_of(two)
    async with transaction(url, writer_name(ONE)), one._writer.connect():
        await asyncio.gather(one.renew(), one.renew())
    assert (await lease_of(two)).counter == lease.counter + 2


async def test_a_lease_is_renewed_beside_ending_another_start_however_long_that_waits(
    one: WholeStore, two: WholeStore, url: str, postgres: PostgresServer
) -> None:
    lease = await lease_of(one, TWO)
    async with transaction(url, "not known as its own", TWO) as late, asyncio.TaskGroup() as tasks:
        superseding = tasks.create_task(one.supersede(lease))
        await until_waiting(postgres, writer_name(ONE))
        await one.renew()
        await late.commit()
    assert superseding.result()


async def test_a_start_that_a_batch_names_stays_on_record(
    one: WholeStore, two: WholeStore, url: str, postgres: PostgresServer
) -> None:
    """No transaction leaves such a batch behind; should there be one, its row says whose it was."""
    builder, lease = await busy(one), await lease_of(two)
    assert await two.supersede(lease)
    sql = "UPDATE batches SET incarnation = $1 WHERE batch_no = $2"
    await postgres.query(url.rpartition("/")[2], sql, ONE, builder.batch.number)
    opener = PostgresqlOpener(url, prefix="later")
    await opener.open(START + KEEP_STARTS + 1)
    assert await opener.starts() == {ONE, TWO, "later-1"}
    await opener.close()


async def test_its_time_is_the_databases(one: WholeStore, postgres: PostgresServer) -> None:
    sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1e9)::bigint AS time"
    before = (await postgres.query("postgres", sql))[0]["time"]
    time = (await one.renew()).time
    assert before <= time <= (await postgres.query("postgres", sql))[0]["time"]


async def until_known(store: WholeStore, lease: Lease) -> bool:
    """Whether it ended the other one, however often that one breaks its connection first."""
    while True:
        try:
            return await store.supersede(lease)
        except UnavailableError as error:
            if "another orchestrator has taken over" in error.message:
                return False
            if "deadlock" in error.message:
                raise


async def test_of_two_that_end_each_other_one_lives_on(url: str) -> None:
    for number in range(5):
        openers = [PostgresqlOpener(url, prefix=f"{prefix}-{number}") for prefix in "ab"]
        stores = [await opener.open() for opener in openers]
        leases = [Lease(opener.opened[-1], 0) for opener in reversed(openers)]
        superseding = [until_known(store, lease) for store, lease in zip(stores, leases, strict=True)]
        assert sorted(await asyncio.gather(*superseding)) == [False, True]
        for opener in openers:
            await opener.close()


async def test_two_that_write_in_the_same_sessions_never_wait_in_a_circle(one: WholeStore, two: WholeStore) -> None:
    """Each makes a batch where the other one's grows."""
    stores = ((one, ONE, "x", "y"), (two, TWO, "y", "x"))
    growing: list[Builder] = []
    for store, incarnation, session, _ in stores:
        builder = Builder(incarnation=incarnation, session_id=session)
        builder.batch.open = True
        growing.append(await submitted(store, builder, builder.submit([judged("first")])))

    async def write(place: int) -> None:
        store, incarnation, _, session = stores[place]
        for number in range(20):
            new = Builder(incarnation=incarnation, session_id=session)
            await submitted(store, new, new.submit([judged("a")]), growing[place].add([judged(f"p{number}")]))

    await asyncio.gather(write(0), write(1))
    sessions = [await one.get_session("default", session) for session in ("x", "y")]
    assert [found[1].batches for found in sessions if found is not None] == [21, 21]
    assert [found[1].proposals for found in sessions if found is not None] == [41, 41]


async def test_what_another_is_taking_is_passed_over(one: WholeStore, two: WholeStore, url: str) -> None:
    first, second = await busy(one), await busy(one)
    await one.let_go([first.batch, second.batch], START)
    async with transaction(url, "taking") as other:
        sql = "UPDATE batches SET incarnation = 'one-1', epoch = epoch + 1 WHERE batch_no = %d"
        await other.exec_driver_sql(sql % first.batch.number)
        assert [batch.id for batch in await taken_due(two)] == [second.batch.id]
        await other.commit()
    assert await taken_due(two) == []


async def test_what_could_not_be_loaded_is_handed_out_the_next_time(
    one: WholeStore, two: WholeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken, so nobody else will."""
    assert isinstance(two, PostgresqlStore)
    builder = await busy(one)
    await one.let_go([builder.batch], START)
    reading, calls = two._list, itertools.count()

    async def failing(*arguments: Any) -> Any:
        if not next(calls):
            raise UnavailableError("STORE_UNAVAILABLE", "the connection broke")
        return await reading(*arguments)

    monkeypatch.setattr(two, "_list", failing)
    with pytest.raises(UnavailableError):
        await taken_due(two)
    assert [batch.id for batch in await taken_due(two)] == [builder.batch.id]
