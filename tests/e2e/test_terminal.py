"""The command in a real terminal: the live view, questions, and Ctrl-C."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from greenlight_client.cli.exit_codes import ExitCode
from tests.e2e.pair import GREENLIGHT, Pair, environment

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Screen:
    """What a terminal was sent, without its control codes; `type` types."""

    popen: subprocess.Popen[bytes]
    descriptor: int
    raw: str = ""
    _pending: bytes = field(default=b"")

    @property
    def text(self) -> str:
        return _CODES.sub("", self.raw).replace("\r\n", "\n")

    def wait_for(self, wanted: str, timeout: float = 20.0) -> None:
        end = time.monotonic() + timeout
        while wanted not in self.text:
            assert time.monotonic() < end, f"{wanted!r} never came:\n{self.text[-3000:]}"
            self.read(0.2)

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def end(self, timeout: float = 20.0) -> int:
        end = time.monotonic() + timeout
        while self.popen.poll() is None:
            assert time.monotonic() < end, f"it did not end:\n{self.text[-3000:]}"
            self.read(0.1)
        self.read(0.1)
        return self.popen.returncode

    def read(self, timeout: float) -> None:
        while select.select([self.descriptor], [], [], timeout)[0]:
            try:
                data = os.read(self.descriptor, 65_536)
            except OSError:
                return
            if not data:
                return
            self.raw += data.decode("utf-8", "replace")
            timeout = 0.0


@contextmanager
def terminal(folder: Path, words: Sequence[str], **env: str) -> Generator[Screen]:
    """The command in a terminal of its own, 110 columns wide."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 110, 0, 0))
    popen = subprocess.Popen(
        [*GREENLIGHT, *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        env=environment(**{"TERM": "xterm-256color", "COLUMNS": "110", "LINES": "40", **env}),
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Screen(popen, master)
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait()
        os.close(master)


def _watching(shared: Pair, *words: str) -> dict[str, str]:
    return {"GREENLIGHT_SERVER": shared.ready["orchestrator"]}


def test_the_live_view_and_an_approval_from_elsewhere(shared: Pair) -> None:
    slow = {"key": "slow", "tool": "steps", "arguments": {"number": 4, "seconds": 4}}
    publish = {"key": "out", "tool": "publish", "arguments": {"text": "x"}, "dependsOn": [{"key": "slow"}]}
    batch = shared.submit([slow, publish], "--name", "live")
    with terminal(shared.folder, ["watch", batch], **_watching(shared)) as screen:
        screen.wait_for("running")
        screen.wait_for("75%, step 3 of 4")
        screen.wait_for("for a decision (hard)")
        screen.wait_for(f"needs you: greenlight approve {batch[:13]}/out")
        assert shared.greenlight("approve", f"{batch}/out", "--yes").code == 0
        assert screen.end() == 0
    assert "live" in screen.text
    assert "2/2 succeeded" in screen.text
    assert 'out   succeeded  "x"' in screen.text


def test_ctrl_c_leaves_the_terminal_in_order(shared: Pair) -> None:
    batch = shared.submit([{"key": "out", "tool": "publish", "arguments": {"text": "x"}}])
    with terminal(shared.folder, ["watch", batch], **_watching(shared)) as screen:
        screen.wait_for("for a decision (hard)")
        screen.popen.send_signal(signal.SIGINT)
        assert screen.end() == ExitCode.INTERRUPTED
    assert f"greenlight watch {batch}" in screen.text
    assert screen.raw.rindex("\x1b[?25h") > screen.raw.rindex("\x1b[?25l")


def test_approve_asks(shared: Pair) -> None:
    batch = shared.submit([{"key": "out", "tool": "publish", "arguments": {"text": "shown"}}])
    for answer, code, said in (("n", ExitCode.AWAITING_DECISION, "not approved"), ("y", 0, f"approved {batch}/out")):
        with terminal(shared.folder, ["approve", f"{batch}/out"], **_watching(shared)) as screen:
            screen.wait_for("Approve exactly this? [y/N]")
            assert '"text": "shown"' in screen.text
            screen.type(f"{answer}\n")
            assert screen.end() == code
        assert said in screen.text


def test_ctrl_c_at_a_question_decides_nothing(shared: Pair) -> None:
    batch = shared.submit([{"key": "out", "tool": "publish", "arguments": {"text": "x"}}])
    with terminal(shared.folder, ["approve", f"{batch}/out"], **_watching(shared)) as screen:
        screen.wait_for("Approve exactly this? [y/N]")
        screen.popen.send_signal(signal.SIGINT)
        assert screen.end() == ExitCode.INTERRUPTED
    assert [item["key"] for item in shared.greenlight("pending", "--batch", batch, "--json").of("proposal")] == ["out"]


def test_edit_opens_the_editor(shared: Pair, tmp_path: Path) -> None:
    batch = shared.submit([{"key": "out", "tool": "publish", "arguments": {"text": "before"}}])
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\nsed -i s/before/after/ "$1"\n')
    editor.chmod(0o755)
    with terminal(shared.folder, ["edit", f"{batch}/out"], EDITOR=str(editor), **_watching(shared)) as screen:
        screen.wait_for("Approve with these arguments? [y/N]")
        assert '-  "text": "before"' in screen.text
        assert '+  "text": "after"' in screen.text
        screen.type("y\n")
        assert screen.end() == 0
    assert '"after"' in shared.greenlight("watch", batch).out


def test_what_was_edited_wrongly_is_edited_again(shared: Pair, tmp_path: Path) -> None:
    batch = shared.submit([{"key": "out", "tool": "publish", "arguments": {"text": "before"}}])
    editor = tmp_path / "editor.sh"
    editor.write_text(
        f"""#!/bin/sh
echo x >> {tmp_path}/times
case $(wc -l < {tmp_path}/times) in
1) sed -i s/before/after/ "$1"; echo '}}' >> "$1";;
2) sed -i '$d; s/"after"/3/' "$1";;
3) sed -i 's/3/"at last"/' "$1";;
esac
"""
    )
    editor.chmod(0o755)
    with terminal(shared.folder, ["edit", f"{batch}/out"], EDITOR=str(editor), **_watching(shared)) as screen:
        screen.wait_for("not JSON: Extra data: line 4")
        screen.wait_for("Edit again? [y/N]")
        screen.type("y\n")
        screen.wait_for("Approve with these arguments? [y/N]")
        screen.type("y\n")
        screen.wait_for("ARGUMENTS_INVALID")
        screen.type("y\n")
        screen.wait_for('+  "text": "at last"')
        screen.type("y\n")
        assert screen.end() == 0
    assert '"at last"' in shared.greenlight("watch", batch).out


def test_ctrl_c_in_the_editor_is_the_editors(shared: Pair, tmp_path: Path) -> None:
    batch = shared.submit([{"key": "out", "tool": "publish", "arguments": {"text": "before"}}])
    editor = tmp_path / "editor.sh"
    editor.write_text(
        "#!/bin/sh\ntrap 'sed -i s/before/after/ \"$1\"; exit 0' INT\necho edits\nwhile :; do sleep 0.1; done\n"
    )
    editor.chmod(0o755)
    with terminal(shared.folder, ["edit", f"{batch}/out"], EDITOR=str(editor), **_watching(shared)) as screen:
        screen.wait_for("edits")
        os.killpg(screen.popen.pid, signal.SIGINT)
        screen.wait_for("Approve with these arguments? [y/N]")
        os.killpg(screen.popen.pid, signal.SIGINT)
        assert screen.end() == ExitCode.INTERRUPTED


def test_the_demo_asks_and_takes_no_for_an_answer(tmp_path: Path) -> None:
    with terminal(tmp_path, ["demo"], RESEARCH_STOCK_LATENCY_MS="10") as screen:
        screen.wait_for("Publish exactly this? [y/N]", 40)
        screen.type("n\n")
        assert screen.end(30) == 0
    assert "rejected" in screen.text
    assert "sequential would have taken" in screen.text


def test_the_demo_asks_and_publishes_on_a_yes(tmp_path: Path) -> None:
    reports = tmp_path / ".greenlight" / "demo" / "research_stock_out" / "reports"
    with terminal(tmp_path, ["demo"], RESEARCH_STOCK_LATENCY_MS="10") as screen:
        screen.wait_for("Publish exactly this? [y/N]", 40)
        assert not list(reports.rglob("*.md"))
        screen.type("y\n")
        assert screen.end(30) == 0
    (report,) = reports.rglob("*.md")
    assert f"publish: {report.relative_to(tmp_path)}" in screen.text
    assert "rejected" not in screen.text
    assert "sequential would have taken" in screen.text
