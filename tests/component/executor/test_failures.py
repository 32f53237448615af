"""What a tool does wrong is its call's failure, and nobody else's."""

import json

import pytest

from tests.support.executor import Executor, Peer, call, failure, result
from tests.support.gates import GATES


@pytest.fixture(autouse=True)
async def neighbour(exe: Executor, peer: Peer):
    """Runs all the while, on the same stream, and on the same loop."""
    made = call("neighbour", "wait", {"gate": "neighbour"})
    await peer.send(made)
    await peer.until(lambda: peer.all("accepted"))
    yield
    GATES.open("neighbour")
    assert result(await peer.outcome(made.id)) == "neighbour"
    assert exe.service.executor.in_flight == 0
    assert not exe.service.decline.failed.is_set()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("value_error", "ValueError: broken"),
        ("unreadable", "UnreadableError: (its message cannot be read)"),
        ("surrogate", "ValueError: half a character: ?"),
        ("endless", "ValueError: xxx"),
        ("system_exit", "SystemExit: 3"),
        ("keyboard_interrupt", "KeyboardInterrupt"),
        ("cancelled_error", "CancelledError"),
        ("generator_exit", "GeneratorExit"),
        ("stop_iteration", "RuntimeError"),
        ("task_exits", "ToolExitError: SystemExit: 3"),
        ("task_group_exits", "ExceptionGroup"),
        ("recursion", "RecursionError"),
    ],
)
async def test_a_tool_that_raises(peer: Peer, how: str, said: str):
    outcome = await peer.run("a", "fail", {"how": how})
    assert failure(outcome) == ("TRANSIENT", "POSSIBLE", "TOOL_RAISED")
    assert outcome.failure.message.startswith(said)
    assert len(outcome.failure.message) <= 4000
    assert not outcome.failure.refused
    assert outcome.HasField("start_time")


@pytest.mark.parametrize("how", ["value_error", "system_exit", "stop_iteration"])
async def test_a_plain_function_that_raises(peer: Peer, how: str):
    assert failure(await peer.run("a", "fail_on_thread", {"how": how})) == ("TRANSIENT", "POSSIBLE", "TOOL_RAISED")
    assert result(await peer.run("b", "plain", {"value": 1})) == 1


async def test_the_authors_traceback_is_in_the_log(peer: Peer, caplog: pytest.LogCaptureFixture):
    await peer.run("a", "fail", {"how": "value_error"})
    assert "tool fail 1 has raised" in caplog.text
    assert 'raise ValueError("broken")' in caplog.text


async def test_each_attempt_has_its_traceback_in_the_log(peer: Peer, caplog: pytest.LogCaptureFixture):
    for key in ("a", "b", "c"):
        await peer.run(key, "fail", {"how": "value_error"})
    assert caplog.text.count('raise ValueError("broken")') == 3


async def test_of_a_flood_of_tracebacks_the_log_says_that_it_leaves_some_out(
    peer: Peer, caplog: pytest.LogCaptureFixture
):
    for n in range(100):
        await peer.run(f"k{n}", "fail", {"how": "value_error"})
    assert "its traceback is left out, as are others that follow so soon" in caplog.text
    assert caplog.text.count('raise ValueError("broken")') < 100


@pytest.mark.parametrize("tool", ["fail", "fail_on_thread"])
async def test_the_log_has_the_tools_own_frames_only(peer: Peer, caplog: pytest.LogCaptureFixture, tool: str):
    await peer.run("a", tool, {"how": "value_error"})
    assert "Traceback" in caplog.text
    assert "executor_svc/adapters" not in caplog.text


@pytest.mark.parametrize(
    ("which", "failed"),
    [
        ("invalid", ("INVALID_ARGUMENT", "NONE", "ARGUMENT_REJECTED")),
        ("denied", ("PERMISSION", "POSSIBLE", "PERMISSION_DENIED")),
        ("permanent", ("PERMANENT", "DONE", "GONE")),
        ("transient", ("TRANSIENT", "POSSIBLE", "TOOL_FAILED")),
        ("rate", ("RATE_LIMITED", "NONE", "RATE_LIMITED")),
        ("unavailable", ("UNAVAILABLE", "POSSIBLE", "DEPENDENCY_UNAVAILABLE")),
        ("timeout", ("TIMEOUT", "POSSIBLE", "DEPENDENCY_TIMEOUT")),
    ],
)
async def test_a_tool_that_says_how_it_failed(peer: Peer, which: str, failed: tuple[str, str, str]):
    outcome = await peer.run("a", "say_failure", {"which": which})
    assert failure(outcome) == failed
    assert outcome.failure.HasField("retry_after") == (which == "rate")
    if which == "rate":
        assert outcome.failure.retry_after.ToMilliseconds() == 1500


async def test_odd_words_of_a_tool_do_not_spoil_the_frame(peer: Peer):
    outcome = await peer.run("a", "say_failure", {"which": "odd"})
    assert failure(outcome)[:2] == ("RATE_LIMITED", "POSSIBLE")
    assert len(outcome.failure.reason) == 64
    assert not outcome.failure.HasField("retry_after")


@pytest.mark.parametrize("what", ["nan", "hidden_nan", "bytes", "object", "surrogate", "endless"])
async def test_what_is_not_json_had_its_effect(peer: Peer, what: str):
    assert failure(await peer.run("a", "give", {"what": what})) == ("PERMANENT", "DONE", "RESULT_NOT_JSON")


async def test_too_much_had_its_effect(peer: Peer):
    outcome = await peer.run("a", "give", {"what": "much"})
    assert failure(outcome) == ("PERMANENT", "DONE", "RESULT_TOO_LARGE")
    assert len(result(await peer.run("b", "give", {"what": "fits"}))) == 998


@pytest.mark.parametrize("how", ["os", "multiprocessing"])
async def test_a_tool_that_forks(peer: Peer, how: str):
    assert failure(await peer.run("a", "fork", {"how": how})) == ("PERMANENT", "POSSIBLE", "FORK_REFUSED")


async def test_a_plain_function_that_forks(peer: Peer):
    assert failure(await peer.run("a", "fork_on_thread")) == ("PERMANENT", "POSSIBLE", "FORK_REFUSED")


async def test_a_tool_may_start_a_program(peer: Peer):
    assert result(await peer.run("a", "fork", {"how": "subprocess"})) == "42\n"


async def test_a_flood_of_progress_is_held_to_the_newest_and_the_last_comes_through(peer: Peer):
    outcome = await peer.run("a", "flood", {"n": 20_000})
    assert result(outcome) == 20_000
    progress = peer.all("progress")
    assert (progress[-1].fraction, progress[-1].message) == (1.0, "the last")
    assert len(progress) < 100


async def test_of_steady_progress_ten_a_second_go_out(peer: Peer):
    outcome = await peer.run("a", "talk", {"seconds": 0.4})
    seconds = outcome.run_duration.ToNanoseconds() / 1e9
    assert 2 <= len(peer.all("progress")) <= seconds * 10 + 2


async def test_progress_and_chunks_from_many_threads(peer: Peer):
    outcome = await peer.run("a", "flood_on_threads", {"n": 500})
    assert result(outcome) == 500
    chunks = peer.all("chunks")
    assert [chunk.index for chunk in chunks] == list(range(2000))
    said = [json.loads(chunk.chunk_json) for chunk in chunks]
    for who in range(4):
        assert [number for talker, number in said if talker == who] == list(range(500))


async def test_odd_progress_is_put_right(peer: Peer):
    assert result(await peer.run("a", "odd_progress")) is None
    last = peer.all("progress")[-1]
    assert (last.fraction, last.message) == (1.0, "")


async def test_chunks_come_in_order_before_the_outcome(peer: Peer):
    await peer.run("a", "chunks", {"what": "fine"})
    assert [(chunk.index, chunk.chunk_json) for chunk in peer.all("chunks")] == [(0, '{"part":1}'), (1, "2")]


@pytest.mark.parametrize("what", ["too much", "too much, hidden"])
async def test_more_chunks_than_the_limit(peer: Peer, what: str):
    assert failure(await peer.run("a", "chunks", {"what": what})) == ("PERMANENT", "POSSIBLE", "RESULT_TOO_LARGE")
    assert len(peer.all("chunks")) == 9


async def test_a_chunk_that_is_not_json(peer: Peer):
    assert failure(await peer.run("a", "chunks", {"what": "not json"})) == ("PERMANENT", "POSSIBLE", "RESULT_NOT_JSON")
