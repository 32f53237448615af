"""`make up-scaled`: everything on PostgreSQL, with a user of the client library in front; and nothing that is left."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from greenlight.orchestrator.v1 import batch_pb2
from greenlight_client import GreenlightClient, call
from tests.bench.processes import ROOT, Process, python, running, waiting
from tests.e2e.pair import alive
from tests.support.starts import open_gates

pytestmark = [pytest.mark.slow, pytest.mark.postgresql, pytest.mark.timeout(120)]
SUCCEEDED = batch_pb2.BATCH_STATE_SUCCEEDED


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's, which are closed to the user that the database runs as."""
    made = Path(tempfile.mkdtemp(prefix="greenlight-scaled-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@contextmanager
def scaled(folder: Path, name: str) -> Iterator[tuple[Process, dict[str, Any]]]:
    command = python("tools/up_scaled.py", "--data", str(folder / "data"))
    command += ["--toolbox", str(ROOT / "tests" / "support" / "toolboxes" / "ledger.py")]
    with running(name, command, folder / name) as process:
        yield process, process.ready()


def pids(ready: dict[str, Any]) -> list[int]:
    return [one["pid"] for one in (*ready["orchestrators"], *ready["executors"], ready["postgresql"])]


def gone(*found: int) -> None:
    for _ in waiting(f"{found} to be gone"):
        if not any(alive(pid) for pid in found):
            return


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


async def _run(client: GreenlightClient, folder: Path, *keys: str) -> str:
    """A batch of READ calls, whose id is given."""
    open_gates(folder, *keys)
    stream = client.run([call("read", {"folder": str(folder)}, key=key) for key in keys])
    summary = await stream.finish()
    assert summary.batch.state == SUCCEEDED
    return summary.batch.batch_id


async def _run_at(address: str, folder: Path, key: str) -> str:
    """Through this one alone."""
    async with GreenlightClient(address) as client:
        await _until_tools(client)
        return await _run(client, folder, key)


async def _until_tools(client: GreenlightClient) -> None:
    while not [tool async for tool in client.list_tools() if tool.executors]:  # noqa: ASYNC110 - an executor
        await asyncio.sleep(0.05)


async def test_whichever_is_killed_the_rest_goes_on(folder: Path) -> None:
    with scaled(folder, "first") as (up, ready):
        async with GreenlightClient(ready["server"]) as client:
            await _until_tools(client)
            batches = [await _run_at(one["address"], folder, one["name"]) for one in ready["orchestrators"]]
            for number, service in enumerate((*ready["orchestrators"], *ready["executors"])):
                kill(service["pid"])
                batches.append(await _run(client, folder, f"c{number}", f"d{number}"))
                for _ in waiting(f"{service['name']} to be started again", up):
                    if f"{service['name']:<15}started again" in up.err.read_text():
                        break
        up.popen.send_signal(signal.SIGINT)
        assert up.popen.wait(40) == 0, up.tail()
        again = [
            int(line.rpartition(" ")[2]) for line in up.err.read_text().splitlines() if "started again, pid" in line
        ]
        assert len(again) == 4
        gone(*pids(ready), *again)
    with scaled(folder, "second") as (up, ready):
        async with GreenlightClient(ready["server"]) as client:
            for batch_id in batches:
                assert (await client.get_batch(batch_id)).batch.state == SUCCEEDED


def test_killed_itself_it_leaves_nothing(folder: Path) -> None:
    with scaled(folder, "up") as (up, ready):
        up.popen.kill()
        up.popen.wait()
        gone(*pids(ready))


def test_a_second_ctrl_c_does_not_wait(folder: Path) -> None:
    with scaled(folder, "up") as (up, ready):
        for service in ready["executors"]:
            os.kill(service["pid"], signal.SIGSTOP)
        up.popen.send_signal(signal.SIGINT)
        for _ in waiting("it to drain", up):
            if "draining" in up.err.read_text():
                break
        up.popen.send_signal(signal.SIGINT)
        assert up.popen.wait(20) == 130, up.tail()
        gone(*pids(ready))


def test_a_toolbox_that_does_not_load_is_said(folder: Path) -> None:
    command = python("tools/up_scaled.py", "--data", str(folder / "data"), "--toolbox", "nowhere_at_all")
    with running("up", command, folder / "up") as up:
        assert up.popen.wait(40) == 1
        assert "nowhere_at_all" in up.err.read_text()
        assert up.out.read_text() == ""
