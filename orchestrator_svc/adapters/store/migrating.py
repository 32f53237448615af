"""Brings a database to the schema of this code. Alembic is imported only where there is something to do."""

import logging
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect

from orchestrator_svc.adapters.store.tables import REVISION
from shared.kernel.errors import PreconditionError

LOCATION = str(Path(__file__).with_name("migrations"))
_VERSIONS = "alembic_version"


def migrate(engine: Engine, name: str) -> None:
    """`name`: of the database, for people. Raises PreconditionError (STORE_NEWER)."""
    with engine.begin() as connection:
        migrate_within(connection, name)


def migrate_within(connection: Connection, name: str, lock: Callable[[Connection], None] | None = None) -> None:
    """In the transaction that the caller began. `lock`: keeps others from it until that ends, if there may be any."""
    if _revision(connection) == REVISION:
        return
    if lock is not None:
        lock(connection)
    found = _revision(connection)
    if found != REVISION:
        _upgrade(connection, found, name)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSIONS):
        return None
    return connection.exec_driver_sql(f"SELECT version_num FROM {_VERSIONS}").scalar()


def _upgrade(connection: Connection, found: str | None, name: str) -> None:
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # its own parts are nobody's news
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", LOCATION)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise PreconditionError(
            "STORE_NEWER",
            f"{name} has schema {found}, and this version of Greenlight knows up to {REVISION}: a newer version wrote "
            "it. Start that version, or restore a backup made by this one",
            metadata={"found": found, "known": REVISION},
        )
    command.upgrade(config, "head")
