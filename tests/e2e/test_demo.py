"""The demo: from nothing to its report, with nothing left running."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenlight_client.cli.exit_codes import ExitCode
from tests.bench.processes import waiting
from tests.e2e.pair import GREENLIGHT, alive, children, environment

LINE = re.compile(
    r"sequential would have taken ([\d.]+) s \(sum of what was measured\), this took ([\d.]+) s( one by one)?, "
    r"the critical path is ([\d.]+) s"
)
FAST = "10"


@contextmanager
def _started(folder: Path, *words: str, **env: str) -> Generator[subprocess.Popen[str]]:
    popen = subprocess.Popen(
        [*GREENLIGHT, "demo", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment(**{"RESEARCH_STOCK_LATENCY_MS": FAST, **env}),
    )
    try:
        yield popen
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.communicate()


def _demo(folder: Path, *words: str, **env: str) -> tuple[int, str, str]:
    with _started(folder, *words, **env) as popen:
        out, err = popen.communicate(timeout=50)
    return popen.returncode, out, err


def _services(demo: subprocess.Popen[str]) -> list[int]:
    """Their process ids, once both are there."""
    pids: list[int] = []
    for _ in waiting("both services", timeout=20):
        pids = children(demo.pid)
        if len(pids) == 2:
            break
    return pids


def _figures(out: str) -> tuple[float, float, float]:
    found = LINE.search(out)
    assert found is not None, out
    return float(found[1]), float(found[2]), float(found[4])


def _latencies(out: str) -> tuple[list[str], dict[str, list[str]]]:
    """The headings of the latency table, and the cells of each call after its name."""
    _, _, after = out.partition("latency, ms\n")
    head, *lines = after.partition("* on the critical path")[0].splitlines()
    rows = [re.split(r"  +", line[2:].strip()) for line in lines]
    return re.split(r"  +", head.strip()), {name: cells for name, *cells in rows}


@pytest.mark.slow
def test_the_whole_story(tmp_path: Path) -> None:
    with _started(tmp_path, "--yes", "--data", str(tmp_path / "kept"), RESEARCH_STOCK_LATENCY_MS="60") as demo:
        pids = _services(demo)
        out, err = demo.communicate(timeout=50)
    assert demo.returncode == 0, err
    assert not any(alive(pid) for pid in pids)
    assert "note is SOFT: the user's next turn confirms it" in err
    assert "confirmed" in err
    assert "publish is HARD" in err
    assert "arguments, as they will run" in err
    assert re.search(r"digest +sha256:[0-9a-f]{64}", err)
    assert "--yes approves it" in err
    assert "The tools' latency is simulated, and declared by the example." in err
    head, table = _latencies(out)
    assert head == ["call", "attempt", "decision wait", "queue wait", "executor queue", "tool", "wire", "record"]
    assert len(table) == 17
    assert table["data/history"][:2] == ["1", "-"]
    assert all(float(cell) >= 0 for cells in table.values() for cell in cells[2:])
    assert all(float(table[call][1]) > 0 for call in ("synthesis/note", "synthesis/publish"))
    sequential, took, path = _figures(out)
    assert path <= took < sequential
    assert len(list((tmp_path / ".greenlight" / "demo").rglob("*.md"))) == 2
    assert list((tmp_path / "kept").iterdir())


def test_without_a_terminal_it_says_what_waits(tmp_path: Path) -> None:
    code, out, err = _demo(tmp_path)
    assert code == 0, err
    assert "publish waits for a decision, and nobody is here to give it: --yes approves it" in err
    assert LINE.search(out)
    assert len(list((tmp_path / ".greenlight" / "demo").rglob("*.md"))) == 1


def test_one_by_one(tmp_path: Path) -> None:
    code, out, err = _demo(tmp_path, "--yes", "--sequential")
    assert code == 0, err
    assert "one by one" in out
    sequential, took, _ = _figures(out)
    assert took > 0.8 * sequential


def test_a_retry_is_seen(tmp_path: Path) -> None:
    code, out, err = _demo(tmp_path, "--yes", RESEARCH_STOCK_FAULT="drawdown")
    assert code == 0, err
    assert re.search(r"risk/drawdown retrying in", err)
    assert re.search(r"risk/drawdown +1 failed", out)


def test_an_agent_that_fails_does_not_take_the_report_along(tmp_path: Path) -> None:
    code, out, err = _demo(tmp_path, "--yes", RESEARCH_STOCK_FAULT="peer_histories:permanent")
    assert code == ExitCode.PARTIAL, err
    assert "peer_returns" in err
    assert "missing" in out.lower()


def test_json(tmp_path: Path) -> None:
    code, out, err = _demo(tmp_path, "--yes", "--json")
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [item["comparison"]["one_by_one"] for item in lines if item["type"] == "comparison"] == [False]
    assert len([item for item in lines if item["type"] == "latency"]) == 17


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with _started(tmp_path, "--yes", RESEARCH_STOCK_LATENCY_MS="2000") as demo:
        pids = _services(demo)
        time.sleep(1.5)
        demo.send_signal(number)
        demo.communicate(timeout=20)
    assert demo.returncode == ExitCode.INTERRUPTED
    assert not any(alive(pid) for pid in pids)


def test_a_service_that_does_not_start_with_what_it_was_given_is_told_of(tmp_path: Path) -> None:
    with _started(tmp_path, "--yes", RESEARCH_STOCK_LATENCY_MS="nonsense") as demo:
        _, err = demo.communicate(timeout=20)
    assert demo.returncode == ExitCode.USAGE
    assert "the executor ended" in err
    assert "RESEARCH_STOCK_LATENCY_MS" in err


def test_a_ticker_that_there_is_not_is_a_usage_error_that_names_those_there_are(tmp_path: Path) -> None:
    code, _, err = _demo(tmp_path, "--ticker", "NOPE")
    assert code == ExitCode.USAGE
    assert re.search(r'--ticker: .*"NOPE" is not one of ("[A-Z]+"(, | or )?){5}$', err, re.MULTILINE), err
