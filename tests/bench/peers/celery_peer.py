"""Celery: a group of tasks to one worker, over Redis (which this script starts, in memory, on a port of its own).

Not durable: what a worker or Redis holds when it dies is lost, and nothing records who ran what.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from celery import Celery, group
from timing import TEXT, report

PORT = os.environ.get("BENCH_REDIS_PORT", "0")
URL = f"redis://127.0.0.1:{PORT}"

app = Celery("celery_peer", broker=f"{URL}/0", backend=f"{URL}/1")
app.conf.worker_prefetch_multiplier = 64


@app.task(name="noop")
def noop(text: str) -> str:
    return text


@app.task(name="sleep_ms")
def sleep_ms(ms: int) -> int:
    time.sleep(ms / 1000)
    return ms


def run(task: Any, count: int, argument: object) -> None:
    results = group(task.s(argument) for _ in range(count)).apply_async().get(timeout=60)
    assert len(results) == count


async def main() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(100))
    await report(
        lambda count: asyncio.to_thread(run, noop, count, TEXT),
        lambda count: asyncio.to_thread(run, sleep_ms, count, 50),
        ["celery", "redis"],
        "group(), one worker with 8 threads, Redis in memory; not durable",
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def measure(folder: Path) -> None:
    port = str(free_port())
    environment = {**os.environ, "BENCH_REDIS_PORT": port}
    redis = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    worker = [sys.executable, "-m", "celery", "-A", "celery_peer", "worker", "-P", "threads", "-c", "8", "-l", "error"]
    itself = [sys.executable, __file__, "--measure"]
    here = Path(__file__).parent
    started: list[subprocess.Popen[bytes]] = []
    with (folder / "celery.log").open("wb") as log:
        try:
            for command in (redis, worker):
                started.append(
                    subprocess.Popen(command, cwd=here, env=environment, stdout=log, stderr=subprocess.STDOUT)
                )
                time.sleep(0.5)
            subprocess.run(itself, cwd=here, env=environment, check=True)
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        asyncio.run(main())
    elif shutil.which("redis-server") is None:
        raise SystemExit("redis-server is missing: apt-get install redis-server")
    else:
        measure(Path(sys.argv[1]))
