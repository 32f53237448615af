"""What the migrations make on PostgreSQL, and how the statement that all transactions begin with goes through it."""

from contextlib import AsyncExitStack

import pytest

from orchestrator_svc.adapters.store import postgresql_engines
from orchestrator_svc.adapters.store.columns import metadata
from orchestrator_svc.adapters.store.guard import POSTGRESQL
from tests.support.batches import Builder, judged
from tests.support.postgresql import PostgresServer
from tests.support.stores import PostgresqlOpener, submitted

pytestmark = pytest.mark.postgresql


async def test_migrations_make_what_the_tables_say(postgres: PostgresServer) -> None:
    async with postgres.database(await postgres.migrated()) as migrated, postgres.database() as direct:
        engine = postgresql_engines.writer_engine(postgresql_engines.parse_url(direct), "direct")
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        await engine.dispose()
        for sql in (
            "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name "
            "FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version' "
            "ORDER BY table_name, ordinal_position",
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version' "
            "ORDER BY indexdef",
        ):
            found = [
                [tuple(row) for row in await postgres.query(url.rpartition("/")[2], sql)] for url in (migrated, direct)
            ]
            assert found[0] == found[1]


async def test_the_guard_goes_by_number_however_few_batches_there_are(postgres: PostgresServer) -> None:
    """A plan is kept: made on a small table, it must do for a large one."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(postgres.database(await postgres.migrated()))
        opener, builder = PostgresqlOpener(url), Builder()
        stack.push_async_callback(opener.close)
        await submitted(await opener.open(), builder, builder.submit([judged("a")]))
        engine = postgresql_engines.writer_engine(postgresql_engines.parse_url(url), "somebody")
        stack.push_async_callback(engine.dispose)
        connection = await stack.enter_async_context(engine.connect())
        types = POSTGRESQL.partition("unnest(")[2].partition("\n  )")[0]
        nothing = [f"NULL{part[part.index(':') :]}" for part in types.replace("\n", " ").split(",")]
        text = POSTGRESQL.replace(types, ", ".join(nothing))
        plan = [row[0] for row in (await connection.exec_driver_sql(f"EXPLAIN {text}")).all()]
    assert any("Index Scan using batches_pkey" in step for step in plan), plan
    assert not any("Seq Scan on batches" in step for step in plan), plan
