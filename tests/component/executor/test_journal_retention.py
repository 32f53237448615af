"""How long the journal knows of calls that are over. That is a setting; what has gone is as if it had never come."""

import asyncio
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from executor_svc.adapters.journal.sqlite import SqliteJournal
from executor_svc.domain.outcome import Outcome
from executor_svc.ports.journal import Acceptance, Entries
from tests.component.executor.test_journal import CANNOT_SAY, NEVER_SEEN, ask, started
from tests.support.clock import ManualClock
from tests.support.executor import BATCH, call, failure, result
from tests.support.gates import GATES

DAY, MARGIN = 86_400, 600


def ids(*keys: str) -> list[str]:
    return [f"{BATCH}/{key}/1" for key in keys]


async def over(folder: Path, ages: Iterable[tuple[str, float]]) -> None:
    """A start in which a call was acknowledged, and one fenced, that many seconds ago; by name, the oldest first."""
    now, clock = datetime.now(UTC), ManualClock()
    journal = SqliteJournal(folder / "journal.db", clock)
    await journal.open("earlier", "executor")
    for name, age in ages:
        clock.advance((now - timedelta(seconds=age) - clock.now()).total_seconds())
        ended, fenced = ids(f"{name}-ended", f"{name}-fenced")
        accepted = Acceptance(ended, call(f"{name}-ended", "write", {"text": name}).digest)
        outcome = Outcome(ended, b'"done"', None, clock.time_ns(), 0.0, 0.0)
        await journal.write(Entries(accepted=[accepted], ended=[outcome], fenced=[fenced], acknowledged=[ended]))
    await journal.close()


async def until_kept(folder: Path, *keys: str) -> None:
    """Until the journal has these calls, and no others."""
    reader = sqlite3.connect(folder / "journal.db")
    async with asyncio.timeout(10):
        while {call_id for (call_id,) in reader.execute("SELECT call_id FROM calls")} != {*ids(*keys)}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    reader.close()


@pytest.mark.parametrize(("setting", "seconds"), [(None, 7 * DAY), ("3600", 3600)])
async def test_what_has_been_over_for_longer_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str | None, seconds: int
) -> None:
    if setting is not None:
        monkeypatch.setenv("GREENLIGHT_EXECUTOR_JOURNAL_RETENTION", setting)
    await over(tmp_path, [("old", seconds + MARGIN), ("young", seconds - MARGIN)])
    async with started(tmp_path) as (_, peer):
        await until_kept(tmp_path, "young-ended", "young-fenced")
        old, young = ids("old-ended", "young-ended")
        assert await ask(peer, "earlier", young) == CANNOT_SAY
        assert await ask(peer, "earlier", old) == NEVER_SEEN
        assert failure(await peer.run("old-ended", "write", {"text": "old"}))[2] == "CALL_FENCED"
        assert failure(await peer.run("young-fenced", "write", {"text": "young"}))[2] == "CALL_FENCED"
        assert result(await peer.run("old-fenced", "write", {"text": "late"})) == "late"
    assert GATES.runs == ["late"]
