"""The migrations make the tables that the code works with, and ship with it."""

import os
import subprocess
import sys
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine

from orchestrator_svc.adapters.store.columns import metadata
from orchestrator_svc.adapters.store.engines import writer_engine
from orchestrator_svc.adapters.store.migrating import LOCATION, migrate
from orchestrator_svc.adapters.store.tables import REVISION, proposals, standings


def schema(connection: Connection) -> dict[str, list[str]]:
    """Every object but Alembic's own: a table's columns in full, an index's text."""
    rows = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    found: dict[str, list[str]] = {}
    for kind, name, sql in rows:
        if name == "alembic_version":
            continue
        found[name] = [sql]
        if kind == "table":
            columns = connection.exec_driver_sql(f'PRAGMA table_xinfo("{name}")').all()
            found[name] = [str(column) for column in columns]
            found[name].append(f"without rowid: {'WITHOUT ROWID' in sql}, unique: {sql.count('UNIQUE')}")
    return found


def test_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    migrated, direct = writer_engine(tmp_path / "migrated.db"), create_engine("sqlite://")
    migrate(migrated, "it")
    with migrated.connect() as one, direct.connect() as other:
        metadata.create_all(other)
        assert schema(one) == schema(other)
    migrated.dispose()
    direct.dispose()


def test_the_last_revision_is_the_codes() -> None:
    config = Config()
    config.set_main_option("script_location", LOCATION)
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_a_database_of_this_revision_is_left_alone_and_alembic_unloaded(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from orchestrator_svc.adapters.store.engines import writer_engine\n"
        "from orchestrator_svc.adapters.store.migrating import migrate\n"
        "engine = writer_engine(pathlib.Path(sys.argv[1]))\n"
        "migrate(engine, 'it')\n"
        "engine.dispose()\n"
        "print('alembic' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "store.db")]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ) for _ in range(2)]
    assert [run.stdout.strip() for run in runs] == ["True", "False"]


def test_the_hot_tables_have_no_null() -> None:
    for table in (proposals, standings):
        assert not [column.name for column in table.columns if column.nullable]
