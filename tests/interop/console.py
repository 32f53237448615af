"""Runs the commands that a document shows, and compares what they print with what it says they print.

Between `<!-- console: services -->` and `<!-- console: end -->` every fenced `console` block is run, in order, in one
session against freshly started services: lines that begin with `$ ` are commands (a backslash or a here document
continues them), what follows is their output. A line `...` in it stands for any lines.

localhost:50051 and localhost:50052 mean the two services, wherever they listen, and /home/me the folder they write to.
Ids, times, durations and trace ids are compared by shape only; an id in a command means the one that took its place
when the earlier commands ran.

`python -m tests.interop.rewrite FILE.md...` writes the real output into the files.
"""

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from typing import Any

from tests.bench.processes import ROOT, environment

TIMEOUT = 30
ELLIPSIS = "..."
_SECTION = re.compile(r"<!-- console: services -->(.*?)<!-- console: end -->", re.DOTALL)
_HERE_DOCUMENT = re.compile(r"<<'?(\w+)'?$")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_SHAPES = [
    (ID, "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r'"-?\d+(\.\d+)?s"'), '"<duration>"'),
    (re.compile(r"(?<![0-9a-f:])[0-9a-f]{32}(?![0-9a-f])"), "<trace>"),
    (re.compile(r"(?<![0-9a-f:])[0-9a-f]{64}(?![0-9a-f])"), "<key>"),
    (re.compile(r'("(?:session_token|next_page_token)": )"[^"]*"'), r'\1"<token>"'),
]
# Whether these come at all depends on how fast the machine is.
_PASSING = ("attempt_started", "attempt_progressed", "batch_state_changed")


@dataclass
class Command:
    # As written, continuation lines joined by newlines.
    text: str
    output: str


@dataclass
class Console:
    """Runs commands against two services and remembers which real id stands for which written one."""

    orchestrator_address: str
    executor_address: str
    folder: str
    ids: dict[str, str] = field(default_factory=dict[str, str])

    def run(self, command: Command) -> str:
        """What it prints, as a document would show it; learns the ids of its output."""
        text = ID.sub(lambda match: self.ids.get(match[0], match[0]), command.text)
        for written, real in self._places():
            text = text.replace(written, real)
        folders = [ROOT / ".tools", ROOT / ".venv" / "bin"]
        path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")])
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=ROOT,
            env=environment(PATH=path, NO_COLOR="1", COLUMNS="100"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
        )
        printed = done.stdout.rstrip("\n")
        for written, real in self._places():
            printed = printed.replace(real, written)
        self._learn(command.output, printed)
        return printed

    def _places(self) -> list[tuple[str, str]]:
        services = [("localhost:50051", self.orchestrator_address), ("localhost:50052", self.executor_address)]
        return [*services, ("/home/me", self.folder)]

    def _learn(self, written: str, printed: str) -> None:
        # By order of first appearance.
        pairs = zip(dict.fromkeys(ID.findall(written)), dict.fromkeys(ID.findall(printed)), strict=False)
        for old, new in pairs:
            self.ids.setdefault(old, new)


def sections(document: str) -> list[str]:
    return [section[1] for section in _SECTION.finditer(document)]


def commands(section: str) -> list[Command]:
    return [command for block in BLOCK.finditer(section) for command in commands_of(block[1])]


def commands_of(block: str) -> list[Command]:
    found: list[Command] = []
    # What ends the text of the last command: nothing more of it, any line, or this one.
    until: str | None = None
    for line in block.splitlines():
        if until is not None:
            found[-1].text += "\n" + line
            until = _goes_on(line) if until in ("", line) else until
        elif line.startswith("$ "):
            found.append(Command(line[2:], ""))
            until = _goes_on(line)
        elif not found:
            raise ValueError(f"a console block must begin with a command, not with: {line}")
        else:
            found[-1].output += line + "\n"
    for command in found:
        command.output = command.output.rstrip("\n")
    return found


def _goes_on(line: str) -> str | None:
    here = _HERE_DOCUMENT.search(line)
    return here[1] if here else "" if line.endswith("\\") else None


def same(written: str, printed: str) -> bool:
    if written == printed:
        return True
    if ELLIPSIS not in written.splitlines():
        return shape(written) == shape(printed)
    expected, actual = _without_passing_values(written), _without_passing_values(printed)
    pattern = "".join(r"(?:.*\n)*" if line == ELLIPSIS else re.escape(line + "\n") for line in expected.splitlines())
    return re.fullmatch(pattern, actual + "\n") is not None


def shape(output: str) -> str:
    """Without what differs from run to run: how a stream's events fell into frames, ids, times, durations."""
    documents = _json_documents(output)
    if documents and all(isinstance(one, dict) and "frame" in one for one in documents):
        output = json.dumps(_one_frame([one["frame"] for one in documents]), indent=2)
    return _without_passing_values(output)


def _without_passing_values(output: str) -> str:
    for pattern, name in _SHAPES:
        output = pattern.sub(name, output)
    return "\n".join(line.rstrip() for line in output.splitlines())


def _json_documents(output: str) -> list[Any]:
    decoder, documents, position = json.JSONDecoder(), [], 0
    while position < len(output):
        try:
            document, end = decoder.raw_decode(output, position)
        except ValueError:
            return []
        documents.append(document)
        position = end + len(output[end:]) - len(output[end:].lstrip())
    return documents


def _one_frame(frames: list[dict[str, Any]]) -> dict[str, Any]:
    events = [event for frame in frames for event in frame.get("events", []) if not any(p in event for p in _PASSING)]
    for event in events:
        event.pop("sequence", None)
    summaries = [frame["summary"] for frame in frames if "summary" in frame]
    for summary in summaries:
        summary.get("batch", {}).pop("sequence", None)
    return {"events": events, "summaries": summaries}
