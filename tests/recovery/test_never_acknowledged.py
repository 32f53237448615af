"""An orchestrator is gone after the record of an ending, before its acknowledgement: the next one acknowledges it."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from executor_svc.bootstrap import serving
from executor_svc.domain.journalled import Standing
from executor_svc.settings import Settings
from orchestrator_svc.adapters.executor.grpc import GrpcExecutors
from orchestrator_svc.ports.executor import Target
from tests.support.gates import GATES
from tests.support.services import TOOLBOX, call, services, states

COUNT = 5


async def until_forgotten(journal: Path) -> None:
    """All that the executor ran: it was told that they are on record."""
    with closing(sqlite3.connect(journal)) as reader:
        while True:
            standings = [standing for (standing,) in reader.execute("SELECT standing FROM calls")]
            assert len(standings) == COUNT
            if {*standings} == {Standing.FORGOTTEN}:
                return
            await asyncio.sleep(0.02)


async def test_what_it_had_yet_to_acknowledge_is_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    GATES.reset()
    GATES.open("gate")

    def say_nothing(self: GrpcExecutors, target: Target, call_ids: Sequence[str]) -> None:
        """As one that was killed just before."""

    given = Settings.model_validate(
        {"listen": "127.0.0.1:0", "toolbox": [TOOLBOX], "data": tmp_path / "executor", "reminder_after": 0.1}
    )
    async with serving(given) as executor:
        with monkeypatch.context() as silent:
            silent.setattr(GrpcExecutors, "acknowledge", say_nothing)
            async with services(tmp_path, executors=[executor.address]) as first:
                calls = [call("send", str(number), {"gate": "gate"}) for number in range(COUNT)]
                summary = await first.run(*calls)
                assert {*states(summary.answers).values()} == {"SUCCEEDED"}
        journal = tmp_path / "executor" / "journal.db"
        with closing(sqlite3.connect(journal)) as reader:
            assert [*reader.execute("SELECT DISTINCT standing FROM calls")] == [(Standing.ENDED,)]
        async with services(tmp_path, executors=[executor.address]) as second:
            await until_forgotten(journal)
            assert await second.summary(summary.batch.batch_id) == summary
    assert GATES.runs == ["send"] * COUNT
