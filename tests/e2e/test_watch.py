"""Watching from later on, and a whole session."""

import re
import signal

import pytest

from greenlight_client.cli.exit_codes import ExitCode
from tests.e2e.pair import Pair

SLOW = {"key": "slow", "tool": "steps", "arguments": {"number": 2, "seconds": 0.4}}
MEMO = {"key": "memo", "tool": "note", "arguments": {"text": "b"}}


def _times(lines: str) -> list[float]:
    """The seconds of each line."""
    return [float(time) for time in re.findall(r"^\+(\S+)s ", lines, re.MULTILINE)]


def test_lines_of_later_events_have_the_seconds_since_the_submission(shared: Pair) -> None:
    batch = shared.submit([SLOW])
    whole = shared.greenlight("watch", batch)
    later = shared.greenlight("watch", batch, "--after", "3")
    assert later.err.splitlines()[-2].endswith("batch succeeded: 1 of 1 succeeded")
    times = _times(later.err)
    assert times[-1] > 0.4
    assert times == pytest.approx(_times(whole.err)[-len(times) :], abs=0.1)


def test_lines_of_what_a_turn_sets_free_too(shared: Pair) -> None:
    batch = shared.submit([MEMO, SLOW], "--session", "lines")
    assert shared.greenlight("watch", batch, "--until", "blocked").code == ExitCode.AWAITING_DECISION
    turn = shared.greenlight("confirm", "lines", "--all", "--until", "finished")
    assert turn.code == ExitCode.SUCCEEDED, turn.err
    times = _times(turn.err)
    assert times[0] > 0.4
    assert times == pytest.approx(_times(shared.greenlight("watch", batch).err)[-len(times) :], abs=0.1)


def test_what_was_watched_of_a_session_counts_as_shown_by_its_token(shared: Pair) -> None:
    batch = shared.submit([MEMO], "--session", "token")
    watched = shared.greenlight("watch", "--session", "token", "--until", "blocked", "--json")
    assert [item["type"] for item in watched.objects][-2:] == ["position", "summary"]
    (position,) = watched.of("position")
    later = shared.submit([MEMO], "--session", "token")
    turn = shared.greenlight("confirm", "token", "--shown-through", position["session_token"], "--json")
    (confirmation,) = turn.of("confirmation")
    assert confirmation["confirmed"] == [f"{batch}/memo"]
    assert confirmation["not_shown"] == [f"{later}/memo"]


def test_ctrl_c_of_a_sessions_watch_names_the_session(shared: Pair) -> None:
    shared.submit([MEMO], "--session", "left")
    with shared.started("watch", "--session", "left") as watch:
        assert watch.stderr is not None
        watch.stderr.readline()
        watch.send_signal(signal.SIGINT)
        _, rest = watch.communicate(timeout=10)
    assert watch.returncode == ExitCode.INTERRUPTED
    assert "detached; the session goes on. Watch it again: greenlight watch --session left" in rest


def test_a_turn_in_which_nothing_waits_says_so(shared: Pair) -> None:
    shared.submit([SLOW], "--session", "nothing")
    assert "nothing is SOFT and waits in session nothing" in shared.greenlight("confirm", "nothing", "--all").err
