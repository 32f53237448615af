"""The guard finds its batches by number, however many there are."""

from pathlib import Path

from orchestrator_svc.adapters.store.engines import writer_engine
from orchestrator_svc.adapters.store.guard import SQLITE
from orchestrator_svc.adapters.store.migrating import migrate


def test_no_scan_of_the_batches(tmp_path: Path) -> None:
    engine = writer_engine(tmp_path / "store.db")
    migrate(engine, "it")
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {SQLITE}", (None,) * SQLITE.count("?")).all()
        steps = [str(row.detail) for row in plan]
    engine.dispose()
    assert any("SEARCH batches USING INTEGER PRIMARY KEY" in step for step in steps), steps
    assert not any(step.startswith("SCAN batches") for step in steps), steps
