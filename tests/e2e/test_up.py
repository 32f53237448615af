"""up: both services in the foreground, what it says, and how it ends."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from greenlight_client.cli.exit_codes import ExitCode
from tests.bench.processes import ROOT, waiting
from tests.e2e.pair import GREENLIGHT, TOOLBOX, alive, children, environment, pair


def _up(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*GREENLIGHT, "up", "--data", str(folder / "data"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=40, cwd=folder, env=environment())


def test_without_tools_of_ones_own_it_has_those_of_the_example(tmp_path: Path) -> None:
    with pair(tmp_path, toolbox=None) as running:
        assert Path(running.ready["toolbox"]) == ROOT / "examples" / "research_stock" / "toolbox.py"
        assert "company_profile" in running.greenlight("tools").out
        assert running.greenlight("template", "list").out.splitlines()[1].startswith("research_stock")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("up", "there is no example here: name your tools, --toolbox MODULE or --toolbox FILE.py"),
        ("demo", "the example is not here: run the demo from a checkout of the project (make demo)"),
    ],
)
def test_where_there_is_no_example(tmp_path: Path, command: str, said: str) -> None:
    """As installed from a package: the command belongs to no checkout."""
    installed = tmp_path / "installed"
    shutil.copytree(ROOT / "clients" / "python" / "greenlight_client", installed / "greenlight_client")
    path = os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])
    words = [*GREENLIGHT, command]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=40, cwd=tmp_path, env=environment(PYTHONPATH=path)
    )
    assert done.returncode == ExitCode.USAGE
    assert said in done.stderr
    assert done.stdout == ""
    assert [place.name for place in tmp_path.iterdir()] == ["installed"]


def test_ctrl_c_drains_both(tmp_path: Path) -> None:
    with pair(tmp_path) as running:
        assert running.ready["tools"] > 5
        assert running.ready["self_approval"] is True
        pids = children(running.up.pid)
        assert len(pids) == 2
        done = running.run([{"key": "sum", "tool": "add", "arguments": {"a": 1, "b": 2}}])
        assert done.code == 0, done.err
    assert running.up.popen.returncode == 0
    assert not any(alive(pid) for pid in pids)
    said = running.up.err.read_text()
    assert "Identity is off" in said
    assert "self_approval is on" in said
    assert "both services have stopped" in said


def test_what_was_recorded_is_there_after_a_restart(tmp_path: Path) -> None:
    with pair(tmp_path) as running:
        batch = running.submit([{"key": "out", "tool": "publish", "arguments": {"text": "x"}}])
    with pair(tmp_path) as running:
        assert running.greenlight("approve", f"{batch}/out", "--yes").code == 0
        assert running.greenlight("watch", batch).code == 0


def test_the_ready_lines_for_people(tmp_path: Path) -> None:
    command = [
        *GREENLIGHT,
        "up",
        "--orchestrator",
        "127.0.0.1:0",
        "--executor",
        "127.0.0.1:0",
        "--toolbox",
        str(TOOLBOX),
    ]
    command += ["--data", str(tmp_path / "data")]
    popen = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment()
    )
    try:
        assert popen.stdout is not None
        lines = [popen.stdout.readline() for _ in range(6)]
    finally:
        popen.terminate()
        popen.communicate(timeout=30)
    assert popen.returncode == 0
    assert lines[0] == "Greenlight is up\n"
    text = "".join(lines)
    for word in ("orchestrator  127.0.0.1:", "executor      127.0.0.1:", "data", "grpcurl -plaintext 127.0.0.1:"):
        assert word in text


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = _up(tmp_path, "--orchestrator", address, "--executor", "127.0.0.1:0", "--toolbox", str(TOOLBOX))
    assert done.returncode == ExitCode.USAGE
    assert "the orchestrator ended" in done.stderr
    assert address in done.stderr
    assert "its last lines" in done.stderr


def test_a_toolbox_that_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import nothing_like_this\n")
    done = _up(tmp_path, "--orchestrator", "127.0.0.1:0", "--executor", "127.0.0.1:0", "--toolbox", "mine.py")
    assert done.returncode == ExitCode.USAGE
    assert "the executor ended" in done.stderr
    assert "nothing_like_this" in done.stderr


def test_a_traceback_keeps_its_indentation(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from greenlight_tool import tool\n\n@tool(effect='READ')\nasync def odd() -> int:\n    return 1 // 0\n"
    )
    with pair(tmp_path, toolbox=str(mine)) as running:
        done = running.run([{"key": "x", "tool": "odd", "retryPolicy": {"maxAttempts": 1}}])
        assert done.code == ExitCode.FAILED, done.err
    text = running.up.err.read_text()
    found = re.search(r"^executor {5}( *)File .*mine\.py.*\nexecutor {5}( *)return 1 // 0$", text, re.MULTILINE)
    assert found, text
    assert len(found[2]) == len(found[1]) + 2


@pytest.mark.parametrize("victim", [0, 1])
def test_one_that_dies_takes_the_other_along(tmp_path: Path, victim: int) -> None:
    with pair(tmp_path) as running:
        pids = children(running.up.pid)
        os.kill(pids[victim], signal.SIGKILL)
        for _ in waiting("greenlight up to end", timeout=20):
            if running.up.popen.poll() is not None:
                break
    assert running.up.popen.returncode == ExitCode.INTERNAL
    name = ("executor", "orchestrator")[victim]
    assert f"the {name} was killed by SIGKILL" in running.up.err.read_text()
    assert not any(alive(pid) for pid in pids)


def test_why_is_said_before_the_other_one_has_drained(tmp_path: Path) -> None:
    with pair(tmp_path) as running:
        running.submit([{"key": "slow", "tool": "steps", "arguments": {"number": 1, "seconds": 25}}])
        executor, orchestrator = children(running.up.pid)
        for _ in waiting("the call to run", timeout=10):
            if '"in_flight":1' in running.greenlight("executors", "--json").out:
                break
        os.kill(orchestrator, signal.SIGKILL)
        for _ in waiting("it to say why", timeout=10):
            if "the other one drains" in running.up.err.read_text():
                break
        assert "the orchestrator was killed by SIGKILL" in running.up.err.read_text()
        assert alive(executor)
        running.up.popen.send_signal(signal.SIGINT)
        running.up.popen.wait(5)
        assert running.up.err.read_text().endswith("stopped at once; nothing is left running\n")
    assert not alive(executor)


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    with pair(tmp_path) as running:
        running.submit([{"key": "slow", "tool": "steps", "arguments": {"number": 1, "seconds": 25}}])
        pids = children(running.up.pid)
        for _ in waiting("the call to run", timeout=10):
            if '"in_flight":1' in running.greenlight("executors", "--json").out:
                break
        running.up.popen.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert running.up.popen.poll() is None
        running.up.popen.send_signal(signal.SIGINT)
        running.up.popen.wait(5)
    assert running.up.err.read_text().endswith("stopped at once; nothing is left running\n")
    assert not any(alive(pid) for pid in pids)


def test_killed_it_leaves_nothing_running(tmp_path: Path) -> None:
    with pair(tmp_path) as running:
        batch = running.submit([{"key": "slow", "tool": "steps", "arguments": {"number": 1, "seconds": 2}}])
        pids = children(running.up.pid)
        for _ in waiting("the call to run", timeout=10):
            if '"in_flight":1' in running.greenlight("executors", "--json").out:
                break
        running.up.popen.kill()
        try:
            for _ in waiting("both services to drain", timeout=20):
                if not any(alive(pid) for pid in pids):
                    break
        finally:
            for pid in filter(alive, pids):
                os.kill(pid, signal.SIGKILL)
    with pair(tmp_path) as running:
        assert running.greenlight("show", batch, "--json").of("batch")[0]["state"] == "BATCH_STATE_SUCCEEDED"


def test_the_data_folder_is_its_users_alone(tmp_path: Path) -> None:
    with pair(tmp_path, "--data", str(tmp_path / "parent" / "kept")):
        assert (tmp_path / "parent" / "kept").stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_another_one_has(tmp_path: Path) -> None:
    with pair(tmp_path):
        done = _up(tmp_path, "--orchestrator", "127.0.0.1:0", "--executor", "127.0.0.1:0", "--toolbox", str(TOOLBOX))
    assert done.returncode == ExitCode.USAGE
    assert "JOURNAL_LOCKED" in done.stderr, "the executor is the first to start"


def test_tools_are_loaded_anew_when_they_change(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    head = "from greenlight_tool import tool\n\n@tool(effect='READ')\nasync def first() -> int:\n    return 1\n"
    mine.write_text(head)
    with pair(tmp_path, "--reload", toolbox=str(mine)) as running:
        assert running.ready["tools"] == 1
        mine.write_text(head + "\n@tool(effect='READ')\nasync def second() -> int:\n    return 2\n")
        for _ in waiting("the new tool", timeout=20):
            if "second" in running.greenlight("tools").out:
                break
        done = running.run([{"key": "x", "tool": "second"}])
    assert done.out.split() == ["x", "succeeded", "2"]
