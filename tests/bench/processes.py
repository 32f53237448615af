"""Starts the processes that are measured or tested, and ends exactly those.

A process writes its output to files in its folder; one that announces itself prints a JSON line first.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0


class ProcessError(Exception):
    """A process did not start, or ended when it should not; the message holds the end of its output."""


@dataclass(frozen=True)
class Process:
    name: str
    popen: subprocess.Popen[bytes]
    out: Path
    err: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def tail(self) -> str:
        text = self.err.read_text(errors="replace") + self.out.read_text(errors="replace")
        return "\n".join(text.splitlines()[-20:])

    def check(self) -> None:
        if self.popen.poll() is not None:
            raise ProcessError(f"{self.name} ended with {self.popen.returncode}:\n{self.tail()}")

    def first_line(self) -> str:
        """Waits for the first whole line on its stdout."""
        for _ in waiting(f"{self.name} to say that it is ready", self):
            head, newline, _ = self.out.read_text(errors="replace").partition("\n")
            if newline:
                return head
        raise AssertionError("unreachable")

    def ready(self) -> dict[str, Any]:
        """Waits for its ready line, `{"event": "ready", ...}`."""
        line = self.first_line()
        try:
            ready = json.loads(line)
        except ValueError:
            raise ProcessError(f"{self.name}: not a ready line: {line}") from None
        if ready.get("event") != "ready":
            raise ProcessError(f"{self.name}: not a ready line: {line}")
        return ready

    def listening(self, port: int) -> None:
        """Waits until something accepts connections on `port` (for a process that does not announce itself)."""
        for _ in waiting(f"{self.name} to listen on {port}", self):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def waiting(what: str, *processes: Process, timeout: float = START_TIMEOUT) -> Iterator[None]:
    """Yields every 10 ms until the caller has seen enough; raises once a process is gone or the time is over."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        yield
        for process in processes:
            process.check()
        time.sleep(0.01)
    raise ProcessError(f"waited {timeout:g} s for {what}" + "".join(f"\n{one.tail()}" for one in processes))


def environment(**extra: str) -> dict[str, str]:
    """Ours, without what would change the services' settings; plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GREENLIGHT_", "OTEL_", "GRPC_"))}
    return {**kept, "PYTHONUNBUFFERED": "1", **extra}


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def free_port() -> int:
    """A port that is free now; only for programs that cannot be told to choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(name: str, command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> Iterator[Process]:
    """Runs `command` from the project's root until the block ends; its output goes to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    out, err = folder / f"{name}.out", folder / f"{name}.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        popen = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(env) if env is not None else environment(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    process = Process(name, popen, out, err)
    try:
        yield process
    finally:
        process.stop()
