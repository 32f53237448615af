"""No list reads a table from end to end, and none sorts what a tenant has: each goes by an index."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from orchestrator_svc.adapters.store.compacting import compact, compactable
from orchestrator_svc.adapters.store.engines import reader_engine
from orchestrator_svc.adapters.store.reading import listed_proposals
from orchestrator_svc.adapters.store.reading.batches import session_heads
from orchestrator_svc.adapters.store.reading.full import get_batch_full
from orchestrator_svc.adapters.store.reading.listed_batches import list_batches
from orchestrator_svc.adapters.store.reading.listed_proposals import list_proposals
from orchestrator_svc.adapters.store.reading.proposals import soft_candidates
from orchestrator_svc.adapters.store.reading.sessions import list_sessions
from orchestrator_svc.domain.proposal import Dependency, ProposalState
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.views import NEVER, BatchFilter, ProposalCursor, ProposalFilter
from tests.support.batches import Builder, judged
from tests.support.stores import EVERYTHING, SqliteOpener, commit, submitted

State = ProposalState
TABLES = re.compile(r"SCAN (batches|proposals|standings|sessions|frames)\b(?!.*batches_un(finished|published))")
BY_ID = "sqlite_autoindex_batches_1"
LAST = "f"
"""An id behind all."""
ENDED = (State.SUCCEEDED, State.FAILED)


@pytest.fixture
async def store(tmp_path: Path) -> tuple[Engine, Builder]:
    """One batch: an ended proposal, one that a person is asked for, and one that waits."""
    opener = SqliteOpener(tmp_path / "store.db")
    opened = await opener.open()
    builder = Builder(session_id="s")
    waiting = judged("c", depends_on=[Dependency("b")])
    await submitted(opened, builder, builder.submit([judged("a"), judged("b", tier=Tier.SOFT), waiting]))
    await commit(opened, builder.dispatch("a"), builder.succeed("a"))
    await opener.close()
    return reader_engine(opener.path), builder


def plan(engine: Engine, read: Callable[..., Any], *arguments: Any) -> list[str]:
    """The steps of all queries that a read makes."""
    asked: list[tuple[str, Any]] = []

    def note(
        connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        read(connection, "default", *arguments)
        event.remove(engine, "before_cursor_execute", note)
        assert asked
        steps = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all() for text, values in asked]
    engine.dispose()
    return [str(row.detail) for rows in steps for row in rows]


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (ProposalFilter(), "standings_asked"),
        (ProposalFilter(tiers=(Tier.HARD,)), "standings_asked"),
        (ProposalFilter(agent="agent"), "standings_asked"),
        (ProposalFilter(tool="noop"), "standings_asked"),
        (ProposalFilter(labels=(("x", "1"),)), "standings_asked"),
        (ProposalFilter(states=(State.PROPOSED,)), "standings_asked"),
        (ProposalFilter(states=ENDED), BY_ID),
        (ProposalFilter(states=ENDED, agent="agent", tool="noop", tiers=(Tier.AUTO,)), BY_ID),
        (ProposalFilter(states=ENDED, labels=(("x", "1"),)), BY_ID),
        (ProposalFilter(states=(State.RUNNING,)), "batches_unfinished"),
        (ProposalFilter(states=tuple(State)), BY_ID),
    ],
)
async def test_proposals_of_a_tenant(store: tuple[Engine, Builder], where: ProposalFilter, index: str) -> None:
    steps = plan(store[0], list_proposals, where, None, 10, EVERYTHING)
    assert any(index in step for step in steps), steps
    assert not any(TABLES.search(step) or "TEMP B-TREE" in step for step in steps), steps


@pytest.mark.parametrize("after", [ProposalCursor(1, "0", 0), ProposalCursor(NEVER, "0", 0)])
async def test_later_pages(store: tuple[Engine, Builder], after: ProposalCursor) -> None:
    steps = plan(store[0], list_proposals, ProposalFilter(states=tuple(State)), after, 10, EVERYTHING)
    assert not any(TABLES.search(step) or "TEMP B-TREE" in step for step in steps), steps


@pytest.mark.parametrize(("states", "index"), [((), "batches_pending"), (ENDED, "batches_of_session")])
async def test_proposals_of_a_session_and_of_a_batch(
    store: tuple[Engine, Builder], states: tuple[State, ...], index: str
) -> None:
    """What is sorted is what one session's batches ask for."""
    engine, builder = store
    steps = plan(engine, list_proposals, ProposalFilter(states=states, session_id="s"), None, 10, EVERYTHING)
    assert any(index in step for step in steps), steps
    assert not any(TABLES.search(step) for step in steps), steps
    steps = plan(engine, list_proposals, ProposalFilter(states=states, batch_id=builder.batch.id), None, 10, EVERYTHING)
    assert any(BY_ID in step for step in steps), steps
    assert not any(TABLES.search(step) for step in steps), steps


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (BatchFilter(), BY_ID),
        (BatchFilter(session_id="s"), "batches_of_session"),
        (BatchFilter(states=(BatchState.RUNNING, BatchState.BLOCKED)), "batches_unfinished"),
        (BatchFilter(states=(BatchState.SUCCEEDED,)), BY_ID),
        (BatchFilter(labels=(("x", "1"),)), BY_ID),
        (BatchFilter(id_prefix="0"), BY_ID),
        (BatchFilter(session_id="s", id_prefix="0"), "batches_of_session"),
    ],
)
async def test_batches(store: tuple[Engine, Builder], where: BatchFilter, index: str) -> None:
    """What a page sorts is what is on it."""
    steps = plan(store[0], list_batches, where, LAST, 10)
    assert any(index in step and "id<?" in step for step in steps), steps
    assert not any(TABLES.search(step) for step in steps), steps


async def test_sessions_are_counted_by_what_is_unfinished_and_asked_for(store: tuple[Engine, Builder]) -> None:
    steps = plan(store[0], list_sessions, None, 10)
    assert not any(TABLES.search(step) for step in steps), steps
    through = {match[0] for step in steps for match in re.finditer(r"batches_\w+", step)}
    assert through == {"batches_unfinished", "batches_pending"}, steps


async def test_the_other_reads(store: tuple[Engine, Builder]) -> None:
    engine, builder = store
    for read, arguments, indexes in (
        (soft_candidates, ("s", 0), {"batches_pending", "batches_expired"}),
        (session_heads, ("s", 3, [1]), {"batches_by_session", "batches_reopened"}),
        (get_batch_full, (builder.batch.id, EVERYTHING), {BY_ID}),
    ):
        steps = plan(engine, read, *arguments)
        assert not any(TABLES.search(step) for step in steps), steps
        assert {match[0] for step in steps for match in re.finditer(r"\w*batches_\w+", step)} == indexes, steps


@pytest.mark.parametrize("count", [compactable, compact])
async def test_old_events(store: tuple[Engine, Builder], count: Callable[..., Any]) -> None:
    """Batches by an index that has only those with events to lose, and a batch's frames by its number."""
    steps = plan(store[0], count, 1 << 62)
    assert any("batches_compactable" in step for step in steps), steps
    assert not any(TABLES.search(step) or "TEMP B-TREE" in step for step in steps), steps


async def test_a_page_looks_at_so_many_and_no_more(
    store: tuple[Engine, Builder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is empty, and says where to go on."""
    monkeypatch.setattr(listed_proposals, "LOOKED_AT", 1)
    with store[0].connect() as connection:
        where = ProposalFilter(states=ENDED, agent="nobody")
        found, end = list_proposals(connection, "default", where, None, 10, EVERYTHING)
        assert end is not None
        assert (found, end.batch_id) == ([], store[1].batch.id)
        assert list_proposals(connection, "default", where, end, 10, EVERYTHING) == ([], None)
    store[0].dispose()
