"""The executor as a process: its ready line, its exit codes, its signals."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from greenlight.executor.v1 import executor_pb2 as pb
from greenlight.executor.v1.executor_pb2_grpc import ExecutorServiceStub

TOOLS = """
import asyncio
import sys
import threading
import time
from greenlight_tool import ToolContext, tool

@tool(effect="READ")
async def nap(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"

@tool(effect="READ")
async def cancel_behind_its_back(what: str) -> None:
    # A thread that it starts knows of no call: it sees, and cancels, whatever runs.
    loop = asyncio.get_running_loop()

    def cancel() -> None:
        for task in asyncio.all_tasks(loop):
            if what in (task.get_name(), task.get_coro().__qualname__, "all"):
                loop.call_soon_threadsafe(task.cancel)

    thread = threading.Thread(target=cancel)
    thread.start()
    thread.join()
    while True:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            pass

@tool(effect="READ")
async def talk(to: str, context: ToolContext) -> str:
    for number in range(50_000):
        match to:
            case "stdout":
                print("line", number, "x" * 100)
            case "stderr":
                print("line", number, "x" * 100, file=sys.stderr)
            case _:
                context.logger.info("line %s %s", number, "x" * 100)
        if number % 100 == 0:
            await asyncio.sleep(0)
    return to

@tool(effect="READ")
async def step(file: str) -> str:
    with open(file, "w") as begun:
        begun.write("begun")
    time.sleep(0.2)
    return "done"

@tool(effect="READ")
async def hang() -> None:
    await asyncio.to_thread(time.sleep, 1000)
"""

COMMAND = [sys.executable, "-m", "executor_svc", "--listen", "127.0.0.1:0"]


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("GREENLIGHT", "OTEL"))}


class Process:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ready: dict[str, Any] = {}

    async def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(await self.process.stdout.readline())

    async def ended(self) -> tuple[int, str]:
        _, errors = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Any]:
    (tmp_path / "tools.py").write_text(TOOLS)
    started: list[asyncio.subprocess.Process] = []

    async def begin(*arguments: str) -> Process:
        command = [*COMMAND, *arguments]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, env=clean(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        started.append(process)
        return Process(process)

    yield begin
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("arguments", [["--toolbox", "tools"], ["--toolbox", "tools.py", "--uvloop"]])
async def test_it_says_when_it_is_ready_serves_and_ends_on_sigterm(start: Any, arguments: list[str]):
    executor = await start(*arguments)
    ready = await executor.line()
    assert (ready["event"], ready["service"], ready["tools"]) == ("ready", "executor", 5)
    async with grpc.aio.insecure_channel(ready["address"]) as channel:
        stub: Any = ExecutorServiceStub(channel)
        request = pb.CallToolRequest(tool="nap", arguments_json='{"seconds":0}')
        assert (await stub.CallTool(request)).outcome.result_json == '"slept"'
    executor.process.send_signal(signal.SIGTERM)
    assert (await executor.ended())[0] == 0


async def test_on_sigint_it_waits_for_what_runs(start: Any):
    executor = await start("--toolbox", "tools")
    ready = await executor.line()
    async with grpc.aio.insecure_channel(ready["address"]) as channel:
        stub: Any = ExecutorServiceStub(channel)
        call = stub.CallTool(pb.CallToolRequest(tool="nap", arguments_json='{"seconds":0.5}'))
        running = 0
        while not running:
            running = (await stub.GetServerInfo(pb.GetServerInfoRequest())).in_flight
        executor.process.send_signal(signal.SIGINT)
        assert (await call).outcome.result_json == '"slept"'
    assert (await executor.ended())[0] == 0


async def test_a_process_that_was_stopped_blames_no_call(start: Any, tmp_path: Path):
    executor = await start("--toolbox", "tools")
    ready = await executor.line()
    begun = tmp_path / "begun"
    async with grpc.aio.insecure_channel(ready["address"]) as channel:
        stub: Any = ExecutorServiceStub(channel)
        call = stub.CallTool(pb.CallToolRequest(tool="step", arguments_json=json.dumps({"file": str(begun)})))
        while not begun.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.005)
        executor.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(1.0)
        executor.process.send_signal(signal.SIGCONT)
        assert (await call).outcome.result_json == '"done"'


async def test_a_second_signal_ends_it_at_once(start: Any):
    executor = await start("--toolbox", "tools", "--log-level", "INFO")
    ready = await executor.line()
    async with grpc.aio.insecure_channel(ready["address"]) as channel:
        stub: Any = ExecutorServiceStub(channel)
        call = stub.CallTool(pb.CallToolRequest(tool="nap", arguments_json='{"seconds":50}'))
        running = 0
        while not running:
            running = (await stub.GetServerInfo(pb.GetServerInfoRequest())).in_flight
        executor.process.send_signal(signal.SIGTERM)
        assert executor.process.stderr is not None
        while b"draining" not in await executor.process.stderr.readline():
            pass
        executor.process.send_signal(signal.SIGTERM)
        assert (await executor.ended())[0] == -signal.SIGTERM
        call.cancel()


async def test_a_tools_thread_that_never_ends_does_not_keep_it(start: Any):
    executor = await start("--toolbox", "tools", "--drain-grace", "0")
    ready = await executor.line()
    async with grpc.aio.insecure_channel(ready["address"]) as channel:
        stub: Any = ExecutorServiceStub(channel)
        call = stub.CallTool(pb.CallToolRequest(tool="hang"))
        running = 0
        while not running:
            running = (await stub.GetServerInfo(pb.GetServerInfoRequest())).in_flight
        executor.process.send_signal(signal.SIGTERM)
        assert (await call).outcome.failure.reason == "EXECUTOR_STOPPED"
    code, errors = await executor.ended()
    assert code == 0
    assert "threads that do not end are left behind" in errors


@pytest.mark.parametrize("loop", [[], ["--uvloop"]])
@pytest.mark.parametrize("what", ["all", "serve", "toolboxes", "AioServer._server_main_loop"])
async def test_without_the_tasks_that_it_lives_by_it_ends_and_names_who_ran(start: Any, what: str, loop: list[str]):
    executor = await start("--toolbox", "tools", "--drain-grace", "0.1", *loop)
    ready = await executor.line()
    async with grpc.aio.insecure_channel(ready["address"]) as channel:
        stub: Any = ExecutorServiceStub(channel)
        arguments = json.dumps({"what": what})
        made = stub.CallTool(pb.CallToolRequest(tool="cancel_behind_its_back", arguments_json=arguments))
        code, errors = await executor.ended()
        made.cancel()
    assert code == 1
    assert "the executor cannot go on; tools that run: cancel_behind_its_back 1 (call direct/" in errors


@pytest.mark.parametrize(
    ("to", "marker"),
    [
        ("stdout", rb'\{"event":"dropped","lines":(\d+)\}'),
        ("stderr", rb"\.\.\. (\d+) lines were dropped here"),
        ("log", rb"\.\.\. (\d+) lines were dropped here"),
    ],
)
async def test_output_that_nobody_reads_holds_nobody(start: Any, to: str, marker: bytes):
    executor = await start("--toolbox", "tools")
    ready = await executor.line()
    async with grpc.aio.insecure_channel(ready["address"]) as channel:
        stub: Any = ExecutorServiceStub(channel)
        request = pb.CallToolRequest(tool="talk", arguments_json=json.dumps({"to": to}))
        assert (await stub.CallTool(request, timeout=20)).outcome.result_json == f'"{to}"'
        request = pb.CallToolRequest(tool="nap", arguments_json='{"seconds":0}')
        assert (await stub.CallTool(request, timeout=20)).outcome.result_json == '"slept"'
    executor.process.send_signal(signal.SIGTERM)
    output, errors = await executor.process.communicate()
    said = output if to == "stdout" else errors
    markers = [int(count) for count in re.findall(marker, said)]
    assert sum(markers) > 0
    own = 0 if to == "stdout" else 2  # the log's first and last line
    assert said.count(b"\n") - len(markers) + sum(markers) == 50_000 + own
    assert executor.process.returncode == 0


async def test_nobody_reads_to_the_end(tmp_path: Path):
    (tmp_path / "tools.py").write_text(TOOLS)
    command = [*COMMAND, "--toolbox", "tools"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=clean(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        ready = json.loads(await asyncio.to_thread(process.stdout.readline))
        async with grpc.aio.insecure_channel(ready["address"]) as channel:
            stub: Any = ExecutorServiceStub(channel)
            await stub.CallTool(pb.CallToolRequest(tool="talk", arguments_json='{"to":"log"}'), timeout=20)
        process.terminate()
        assert await asyncio.to_thread(process.wait) == 0


async def test_unsafe_is_said_aloud(start: Any):
    executor = await start("--toolbox", "tools", "--unsafe-call-tool")
    await executor.line()
    executor.process.send_signal(signal.SIGTERM)
    code, errors = await executor.ended()
    assert code == 0
    assert "--unsafe-call-tool: CallTool runs tools of ANY effect" in errors


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--toolbox", "nowhere"], 1, "toolbox nowhere: there is no such module"),
        (["--toolbox", "tools", "--listen", "203.0.113.1:1"], 1, "cannot listen on 203.0.113.1:1"),
        (["--toolbox", "tools", "--listen", "nohost"], 2, "listen: Value error, 'nohost': an address is HOST:PORT"),
        ([], 2, "no tools"),
    ],
)
async def test_what_keeps_it_from_starting_is_one_line(start: Any, arguments: list[str], code: int, said: str):
    executor = await start(*arguments)
    ended, errors = await executor.ended()
    assert ended == code
    assert said in errors
    assert "Traceback" not in errors
