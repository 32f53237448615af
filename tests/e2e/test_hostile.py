"""What agents and tools write can neither forge a line of any command's output nor do anything to the terminal."""

import json
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

from greenlight_client.cli.app import build
from tests.e2e.hostile_toolbox import EVIL, FORGED
from tests.e2e.pair import Pair, Result, pair
from tests.e2e.test_terminal import terminal

_TOOLBOX = str(Path(__file__).with_name("hostile_toolbox.py"))
_TYPED = EVIL.replace("\0", "")
_AFTER_BARS = re.compile(rf"[\s│]*{FORGED}")
_BARRED = re.compile(rf"(\s*│){{1,2}} {FORGED}")
_TEMPLATE = f"""
format: 1
name: odd
version: "1"
description: "odd\\n{FORGED}"
agents:
  one:
    proposals:
      k:
        tool: soft
        arguments: {{x: "\\e[31m\\n{FORGED}"}}
"""


@dataclass(frozen=True)
class World:
    """`ended`: a batch with a result and failures; what waits is in the session `waits`. One outcome is unknown."""

    pair: Pair
    ended: str


def _proposal(key: str, tool: str, **more: Any) -> dict[str, Any]:
    texts = {"agent": EVIL[:128], "title": EVIL[:256], "rationale": EVIL, "labels": {EVIL[:63]: EVIL}}
    return {"key": key, "tool": tool, **texts, "arguments": {"x": EVIL}, **more}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "odd.yaml").write_text(_TEMPLATE)
    (folder / "calls.json").write_text(json.dumps([_proposal("k", "soft")]))
    with pair(folder, "--templates", str(folder), toolbox=_TOOLBOX) as running:
        ended = [_proposal("r", "result"), _proposal("e", "error"), _proposal("a", "again")]
        ended.append(_proposal("s", "soft", dependsOn=[{"key": "e"}]))
        done = running.run(ended, "--name", _TYPED, "--label", f"k={_TYPED}")
        _check(done)
        batch = running.greenlight("batches", "--json").of("batch")[0]["batch_id"]
        running.run([_proposal("u", "unknown")], "--until", "blocked")
        yield World(running, batch)


_COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", "calls.json", "--until", "blocked", "--name", _TYPED),
    "submit": ("submit", "calls.json", "--session", "waits"),
    "watch": ("watch", "ENDED"),
    "pending": ("pending",),
    "approve": ("approve", "BATCH/h"),
    "edit": ("edit", "BATCH/h", "--arguments", json.dumps({"x": _TYPED + "more"}, ensure_ascii=False)),
    "reject": ("reject", "BATCH/h", "-m", _TYPED),
    "confirm": ("confirm", "waits", "--yes", "--object", f"BATCH/k={_TYPED}"),
    "cancel": ("cancel", "BATCH", "-m", _TYPED),
    "retry": ("retry", "ENDED", "-m", _TYPED),
    "resume": ("resume", "ENDED", "-m", _TYPED),
    "unknown": ("unknown",),
    "resolve": ("resolve", "ENDED/r", "--failed", "--reason", _TYPED),
    "prune": ("prune", "--older-than", "1d"),
    "batches": ("batches",),
    "show": ("show", "ENDED"),
    "trace": ("trace", "ENDED"),
    "tools": ("tools",),
    "executors": ("executors",),
    "status": ("status",),
    "template check": ("template", "check", "odd.yaml"),
    "template list": ("template", "list"),
    "template show": ("template", "show", "odd"),
}


def test_no_command_is_left_out() -> None:
    own = {"up", "demo"}  # they show the log of services, each line cleaned, and the example's own texts
    found: set[str] = set()
    for name, command in typer.main.get_command(build()).commands.items():  # pyright: ignore
        found |= {f"{name} {sub}" for sub in getattr(command, "commands", ())} or {name}
    assert found - own == set(_COMMANDS)


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_nothing_is_forged(world: World, name: str) -> None:
    waiting = [_proposal("k", "soft"), _proposal("h", "hard")]
    batch = world.pair.submit(waiting, "--session", "waits")
    words = [word.replace("ENDED", world.ended).replace("BATCH", batch) for word in _COMMANDS[name]]
    _check(world.pair.greenlight(*words))
    if name in ("reject", "cancel", "confirm", "resolve"):
        for proposal in (f"{batch}/k", f"{batch}/h"):
            _check(world.pair.greenlight("show", proposal))


@pytest.mark.parametrize("words", [("show", "ENDED/r"), ("show", "ENDED/e"), ("show", "ENDED/s"), ("tools", "result")])
def test_in_full_neither(world: World, words: tuple[str, ...]) -> None:
    _check(world.pair.greenlight(*(word.replace("ENDED", world.ended) for word in words)))


@pytest.mark.parametrize(
    "proposal",
    [
        {"key": EVIL, "tool": "soft"},
        {"key": "k", "tool": EVIL[:128]},
        {"key": "k", "tool": "soft", "arguments": {EVIL: 1}},
        {"key": "k", "tool": "soft", "arguments": {"x": ""}, "dependsOn": [{"key": EVIL}]},
    ],
)
def test_nor_in_what_is_refused(world: World, proposal: dict[str, Any]) -> None:
    _check(world.pair.run([proposal]))


@pytest.mark.parametrize("words", [("show", "ENDED/e"), ("watch", "ENDED"), ("pending",)])
def test_a_terminal_gets_our_colours_only(world: World, words: tuple[str, ...]) -> None:
    typed = [word.replace("ENDED", world.ended) for word in words]
    with terminal(world.pair.folder, typed, GREENLIGHT_SERVER=world.pair.ready["orchestrator"]) as screen:
        screen.end()
    assert not re.search(r"\x1b\[[23]J|\x1b\]|\x9b|\x08|\u202e|\u2066", screen.raw)


def test_in_a_terminal_no_part_of_a_long_line_passes_for_a_line(world: World) -> None:
    batch = world.pair.submit([_proposal("h", "hard", arguments={"x": f"x{FORGED}" * 60})])
    with terminal(
        world.pair.folder, ["show", f"{batch}/h"], GREENLIGHT_SERVER=world.pair.ready["orchestrator"]
    ) as screen:
        screen.end()
    lines = screen.text.partition("arguments\n")[2].splitlines()
    assert len(lines) > 4
    assert all(len(line) <= 110 for line in lines)
    assert all(line.startswith("↪ ") for line in lines if FORGED in line and '"x"' not in line)


def _check(done: Result) -> None:
    shown = done.out + done.err
    for line in shown.split("\n"):
        assert line.isprintable(), ascii(line)
        assert not _AFTER_BARS.match(line) or _BARRED.match(line), line
