"""Both services as a user starts them, `greenlight up`, and the command as a user types it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.processes import Process, running, waiting

GREENLIGHT = [sys.executable, "-c", "from greenlight_client.cli import main; main()"]
TOOLBOX = Path(__file__).with_name("toolbox.py")
_TIMEOUT = 45.0


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Of --json."""
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, kind: str) -> list[Any]:
        """The bodies of one type."""
        return [item[kind] for item in self.objects if item["type"] == kind]


@dataclass(frozen=True)
class Pair:
    """A running pair; `folder` is where commands are typed."""

    up: Process
    ready: dict[str, Any]
    folder: Path

    def greenlight(self, *words: str, stdin: str | None = None) -> Result:
        done = subprocess.run(
            [*GREENLIGHT, *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            cwd=self.folder,
            env=environment(GREENLIGHT_SERVER=self.ready["orchestrator"]),
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def run(self, proposals: Sequence[Mapping[str, Any]], *words: str) -> Result:
        """`greenlight run -` with these proposals."""
        return self.greenlight("run", "-", *words, stdin=json.dumps(list(proposals)))

    def submit(self, proposals: Sequence[Mapping[str, Any]], *words: str) -> str:
        """The batch id."""
        done = self.greenlight("submit", "-", *words, stdin=json.dumps(list(proposals)))
        assert done.code == 0, done.err
        return done.out.strip()

    @contextmanager
    def started(self, *words: str) -> Generator[subprocess.Popen[str]]:
        """A command that goes on while the test does."""
        popen = subprocess.Popen(
            [*GREENLIGHT, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=environment(GREENLIGHT_SERVER=self.ready["orchestrator"]),
        )
        try:
            yield popen
        finally:
            if popen.poll() is None:
                popen.kill()
            popen.communicate()


def environment(**more: str) -> dict[str, str]:
    """This process's, without what would change what is tested."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GREENLIGHT_", "OTEL_"))}
    return {**kept, **more}


@contextmanager
def pair(folder: Path, *words: str, toolbox: str | None = str(TOOLBOX), **env: str) -> Generator[Pair]:
    """`greenlight up` on free ports, ended as by Ctrl-C."""
    command = [*GREENLIGHT, "up", "--json", "--orchestrator", "127.0.0.1:0", "--executor", "127.0.0.1:0"]
    command += ["--data", str(folder / "data"), *words]
    if toolbox is not None:
        command += ["--toolbox", toolbox]
    with running("greenlight up", command, folder / "up", environment(**env)) as up:
        ready = json.loads(up.first_line())
        assert ready["type"] == "ready", ready
        yield Pair(up, ready["ready"], folder)
        if up.popen.poll() is None:
            up.popen.send_signal(signal.SIGINT)
            for _ in waiting("greenlight up to end", timeout=20):
                if up.popen.poll() is not None:
                    break


def children(pid: int) -> list[int]:
    """The living children of a process (Linux)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in task.read_text().split()]
    return found


def alive(pid: int) -> bool:
    """Runs, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
