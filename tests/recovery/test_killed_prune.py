"""Killed while it removes old events: what is gone is told, what is left is whole, and the next start goes on."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.ports.store import SLICE_BYTES
from tests.bench.processes import environment, python, running, waiting
from tests.recovery.test_full_disk import connected
from tests.support.batches import Builder, judged
from tests.support.refusals import refusal
from tests.support.services import states
from tests.support.stores import SqliteOpener, commit, submitted

pytestmark = pytest.mark.slow
CALLS = 1_000
RESULT = '"%s"' % ("x" * (SLICE_BYTES * 40 // CALLS))


async def _seeded(database: Path) -> Builder:
    """A finished batch of as many frames as make many slices."""
    database.parent.mkdir()
    opener, builder = SqliteOpener(database), Builder()
    store = await opener.open()
    keys = [f"p{number}" for number in range(CALLS)]
    await submitted(store, builder, builder.submit([judged(key) for key in keys]))
    for key in keys:
        await commit(store, builder.dispatch(key), builder.succeed(key, result=RESULT))
    await opener.close()
    return builder


def _frames(database: Path) -> list[tuple[int, int]]:
    """Each by its first and last sequence; checked against what the batch says of itself, in one snapshot."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("BEGIN")
        found = connection.execute("SELECT first_sequence, last_sequence FROM frames ORDER BY 1").fetchall()
        [(oldest, head)] = connection.execute("SELECT oldest, head FROM batches").fetchall()
    ends = [oldest - 1, *(last for _, last in found)]
    assert [first for first, _ in found] == [end + 1 for end in ends[:-1]]
    assert ends[-1] == head
    return found


def _until_fewer(database: Path, than: int) -> Iterator[int]:
    for _ in waiting("frames to go", timeout=30):
        left = len(_frames(database))
        if left < than:
            return
        yield left


async def test_killed_in_the_middle_it_goes_on(tmp_path: Path):
    data = tmp_path / "data"
    database = data / "greenlight.db"
    builder = await _seeded(database)
    before = len(_frames(database))
    command = python("-m", "orchestrator_svc", "--listen", "127.0.0.1:0", "--data", str(data))
    command += ["--executors", "127.0.0.1:1", "--drain-grace", "0"]
    settings = environment(GREENLIGHT_EVENTS_RETENTION="0.001")
    with running("orchestrator", command, tmp_path / "one", settings) as one:
        list(_until_fewer(database, before))
        one.popen.kill()
        one.popen.wait()
    left = len(_frames(database))
    assert 0 < left < before
    with running("orchestrator", command, tmp_path / "two", settings) as two:
        list(_until_fewer(database, 1))
        async with connected(two) as client:
            watched = client.stub.WatchBatch(pb.WatchBatchRequest(batch_id=builder.batch.id))
            assert (await refusal(watched)).reason == "EVENTS_COMPACTED"
            waited = await client.stub.WaitBatch(pb.WaitBatchRequest(batch_id=builder.batch.id))
            assert set(states(waited.summary.answers).values()) == {"SUCCEEDED"}
