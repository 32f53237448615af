"""What is read of a large batch costs as much as it is large, whatever the database believes of batches; a page of many
batches costs as much as the page is."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator_svc.adapters.store.postgresql_engines import parse_url, reader_engine
from orchestrator_svc.adapters.store.reading.answers import get_batch_answers
from orchestrator_svc.adapters.store.reading.full import get_batch, get_batch_full
from orchestrator_svc.adapters.store.reading.listed_batches import list_batches
from orchestrator_svc.adapters.store.reading.listed_proposals import list_proposals
from orchestrator_svc.adapters.store.reading.whole import load
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.views import NEVER, BatchFilter, ProposalCursor, ProposalFilter
from tests.support.batches import Builder, judged
from tests.support.postgresql import PostgresServer
from tests.support.stores import PostgresqlOpener, submitted

pytestmark = pytest.mark.postgresql

SIZE = 1_000
MUCH = 1 << 24
MANY = 20_000
_COPIES = f"""
    INSERT INTO batches
    SELECT (jsonb_populate_record(b, jsonb_build_object(
        'batch_no', b.batch_no + number, 'id', lpad(to_hex(number), 8, '0') || substr(b.id, 9),
        'session_no', number, 'state', CASE number % 100 WHEN 0 THEN b.state ELSE 5 END))).*
    FROM batches AS b, generate_series(1, {MANY}) AS number
"""
"""One in a hundred is as the first one, the others are finished."""
_READ = text("SELECT sum(coalesce(idx_tup_fetch, 0) + seq_tup_read) FROM pg_stat_xact_user_tables")

Read = Callable[[Connection, str], Any]


def _waiting(connection: Connection, batch_id: str) -> Any:
    where = ProposalFilter(batch_id=batch_id)
    return list_proposals(connection, "default", where, None, SIZE, MUCH)


def _approved(connection: Connection, batch_id: str) -> Any:
    where = ProposalFilter((ProposalState.APPROVED,), batch_id=batch_id)
    return list_proposals(connection, "default", where, None, SIZE, MUCH)


READS: dict[str, Read] = {
    "batch": lambda connection, batch_id: get_batch(connection, "default", batch_id),
    "answers": lambda connection, batch_id: get_batch_answers(connection, "default", batch_id, MUCH, MUCH),
    "full": lambda connection, batch_id: get_batch_full(connection, "default", batch_id, MUCH),
    "whole": lambda connection, batch_id: load(connection, "default", batch_id, Builder().batch.judge),
    "waiting": _waiting,
    "approved": _approved,
}


@pytest.fixture
async def url(postgres: PostgresServer) -> AsyncIterator[str]:
    async with postgres.database(await postgres.migrated()) as url:
        yield url


@pytest.mark.parametrize("known", [True, False], ids=["small ones counted", "nothing counted"])
@pytest.mark.parametrize("name", READS)
async def test_a_large_one_among_small_ones(postgres: PostgresServer, url: str, name: str, known: bool) -> None:
    opener, reader = PostgresqlOpener(url, prefix="one"), reader_engine(parse_url(url), "reader")
    store = await opener.open()
    try:
        small = [Builder(incarnation="one-1") for _ in range(60)]
        for builder in small:
            await submitted(store, builder, builder.submit([judged("a", tier=Tier.HARD)]))
        if known:
            await postgres.query(url.rpartition("/")[2], "ANALYZE")
        async with reader.connect() as connection:
            for builder in small[:8]:  # so that a plan that is kept is there
                await connection.run_sync(READS[name], builder.batch.id)
        large = Builder(incarnation="one-1")
        half = SIZE // 2
        calls = [judged(f"k{number}", tier=Tier.HARD if number < half else Tier.AUTO) for number in range(SIZE)]
        await submitted(store, large, large.submit(calls))
        async with reader.connect() as connection:
            await connection.run_sync(READS[name], large.batch.id)
            assert (await connection.execute(_READ)).scalar_one() < 20 * SIZE
    finally:
        await reader.dispose()
        await opener.close()


async def test_a_page_of_many_batches(postgres: PostgresServer, url: str) -> None:
    """The first one, and one from the middle."""
    opener, reader = PostgresqlOpener(url, prefix="one"), reader_engine(parse_url(url), "reader")
    store = await opener.open()
    try:
        builder = Builder(incarnation="one-1")
        await submitted(store, builder, builder.submit([judged("a")]))
        for statement in (_COPIES, "ANALYZE"):
            await postgres.query(url.rpartition("/")[2], statement)
        middle = f"{MANY // 2:08x}{builder.batch.id[8:]}"
        for where in (
            BatchFilter(),
            BatchFilter(session_id=builder.session_id),
            BatchFilter(states=(BatchState.RUNNING,)),
            BatchFilter(id_prefix=middle[:6]),
        ):
            for before in (None, middle):
                page = await _page(reader, lambda c, w=where, b=before: list_batches(c, "default", w, b, 10))
                assert page.batches
        waiting, ended = ProposalFilter(), ProposalFilter(states=(ProposalState.RUNNING, ProposalState.APPROVED))
        for filter_ in (waiting, ended):
            for after in (None, ProposalCursor(NEVER, middle, 0)):
                await _page(reader, lambda c, w=filter_, a=after: list_proposals(c, "default", w, a, 10, MUCH))
    finally:
        await reader.dispose()
        await opener.close()


async def _page(reader: AsyncEngine, read: Callable[[Connection], Any]) -> Any:
    async with reader.connect() as connection:
        page = await connection.run_sync(read)
        assert (await connection.execute(_READ)).scalar_one() < MANY // 10
        return page
