"""Looking for what is due, or somebody's, goes by an index, however many batches wait for people."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from orchestrator_svc.adapters.store import owning
from orchestrator_svc.adapters.store.engines import writer_engine
from orchestrator_svc.adapters.store.migrating import migrate
from orchestrator_svc.adapters.store.reading import owners, received
from orchestrator_svc.ports.commands import CommandId
from tests.support.batches import START, Builder

BY_NUMBER, BY_ID = "INTEGER PRIMARY KEY", "sqlite_autoindex_batches_1"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = writer_engine(tmp_path / "store.db")
    migrate(engine, "it")
    yield engine
    engine.dispose()


def plan(engine: Engine, work: Callable[..., Any], *arguments: Any) -> list[str]:
    """The steps of its statements about batches."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    with engine.begin() as connection:
        work(connection, *arguments)
        event.remove(engine, "before_cursor_execute", note)
        steps = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all() for text, values in asked]
    return [str(row.detail) for rows in steps for row in rows if " batches" in str(row.detail)]


@pytest.mark.parametrize(
    ("work", "arguments", "indexes"),
    [
        (owners.next_wake, (), ["batches_due"]),
        (owners.still, (Builder().batch, "it"), [BY_NUMBER]),
        (received.received, ("it", 9), [BY_NUMBER]),
        (received.answers, ([CommandId("default", "b", "r")],), [BY_NUMBER, BY_NUMBER]),
        (owning.take, ("default", "b", "it"), [BY_ID]),
        (owning.take_due, (START, "it", {}), ["batches_due", BY_NUMBER]),
        (owning.end, ("it",), ["batches_unpublished", "batches_owned"]),
    ],
)
def test_by_an_index(engine: Engine, work: Callable[..., Any], arguments: tuple[Any, ...], indexes: list[str]) -> None:
    steps = plan(engine, work, *arguments)
    assert len(steps) == len(indexes), steps
    for step, index in zip(steps, indexes, strict=True):
        assert index in step
