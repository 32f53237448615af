"""Our service pair, as two processes on free ports."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.bench.processes import Process, environment, python, running, waiting

TOOLBOX = Path(__file__).with_name("toolbox.py")


@dataclass(frozen=True)
class Services:
    orchestrator: Process
    executor: Process
    # HOST:PORT
    orchestrator_address: str
    executor_address: str


@contextmanager
def services(
    folder: Path,
    *,
    toolbox: str | Path = TOOLBOX,
    templates: Path | None = None,
    env: Mapping[str, str] | None = None,
    name: str = "ours",
) -> Iterator[Services]:
    """Starts executor and orchestrator with their data and output below `folder`, and stops them.

    Begins once the orchestrator knows the executor's tools.
    """
    settings = environment(**(env or {}))
    home = folder / name
    executor_command = python("-m", "executor_svc", "--listen", "127.0.0.1:0", "--toolbox", str(toolbox))
    executor_command += ["--data", str(home / "executor")]
    with running("executor", executor_command, home, settings) as executor:
        executor_address = executor.ready()["address"]
        command = python("-m", "orchestrator_svc", "--listen", "127.0.0.1:0")
        command += ["--executors", executor_address, "--data", str(home / "data")]
        if templates:
            command += ["--templates", str(templates)]
        with running("orchestrator", command, home, settings) as orchestrator:
            address = orchestrator.ready()["address"]
            _wait_for_tools(orchestrator, address)
            yield Services(orchestrator, executor, address, executor_address)


def _wait_for_tools(orchestrator: Process, address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        list_tools = channel.unary_unary(
            "/greenlight.orchestrator.v1.OrchestratorService/ListTools",
            pb.ListToolsRequest.SerializeToString,
            pb.ListToolsResponse.FromString,
        )
        for _ in waiting("the orchestrator to know a tool", orchestrator):
            if list_tools(pb.ListToolsRequest()).tools:
                return
