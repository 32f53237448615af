"""Which threads gRPC reads on, in the processes as they are started."""

import os
import subprocess
import sys

import pytest

CALLS = 200
_SCRIPT = """
import asyncio, importlib, os, pathlib, sys
importlib.import_module(sys.argv[1])
import grpc

def woken():
    for thread in pathlib.Path("/proc/self/task").iterdir():
        if (thread / "comm").read_text().strip() == "event_engine":
            status = (thread / "status").read_text()
            yield int(status.partition("\\nvoluntary_ctxt_switches:")[2].split()[0])

async def call(times):
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for _ in range(times):
            try:
                await channel.unary_unary("/no.such/Method")(b"")
            except grpc.aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    print(sum(woken()), os.environ.get("GRPC_EXPERIMENTS", ""))
    await server.stop(None)

asyncio.run(call(int(sys.argv[2])))
"""


def run(package: str, **environment: str) -> tuple[int, str, str]:
    """How often the threads of gRPC's own pool were woken; what programs would inherit; what gRPC complains of."""
    command = [sys.executable, "-c", _SCRIPT, package, str(CALLS)]
    env = {name: value for name, value in os.environ.items() if name != "GRPC_EXPERIMENTS"} | environment
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=env)
    woken, _, inherited = done.stdout.strip().partition(" ")
    return int(woken), inherited, done.stderr


@pytest.mark.parametrize("package", ["orchestrator_svc", "executor_svc"])
def test_no_pool_stands_between_the_socket_and_the_loop(package: str) -> None:
    woken, inherited, complaints = run(package)
    assert woken < CALLS
    assert (inherited, complaints) == ("", "")


def test_who_has_chosen_knows_better() -> None:
    woken, inherited, complaints = run("orchestrator_svc", GRPC_EXPERIMENTS="no_such_experiment")
    assert woken > CALLS
    assert inherited == "no_such_experiment"
    assert "no_such_experiment" in complaints
