"""Whatever an executor sends is read with care: nothing raises, nothing is believed that cannot be."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenlight.executor.v1 import executor_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.adapters.executor import incoming
from orchestrator_svc.domain.probing import Look
from orchestrator_svc.domain.proposal import Finding
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect

EURO = "\u20ac"


def _ending(**fields: Any) -> Ending:
    return incoming.read_ending(pb.Outcome(call_id="b/a/1", **fields))


def _failure(**fields: Any) -> Failure:
    failure = _ending(failure=tool_pb2.Failure(**fields)).failure
    assert failure is not None
    return failure


def test_a_success_with_its_times():
    outcome = pb.Outcome(call_id="b/a/1", result_json='{"a":12345678901234567890}')
    outcome.start_time.FromNanoseconds(1_700_000_000_123_456_789)
    outcome.queue_duration.FromNanoseconds(5)
    outcome.run_duration.FromNanoseconds(3_000_000_001)
    ending = incoming.read_ending(outcome)
    assert ending == Ending('{"a":12345678901234567890}', None, 1_700_000_000_123_456_789, 5, 3_000_000_001, over=True)


def test_one_that_does_not_stop_is_not_over():
    assert _ending(failure=tool_pb2.Failure()).over
    assert not _ending(failure=tool_pb2.Failure(), still_running=True).over


def test_without_a_start_time_it_never_started():
    ending = _ending(result_json="1")
    assert (ending.start_time, ending.executor_queue, ending.tool) == (None, None, None)


def test_a_failure_is_read_whole():
    failure = _failure(failure_class=5, known_effect=1, reason="SLOTS_EXHAUSTED", message="later", refused=True)
    assert failure == Failure(FailureClass.RATE_LIMITED, KnownEffect.NONE, "SLOTS_EXHAUSTED", "later", None, True)
    wait = tool_pb2.Failure(
        failure_class=tool_pb2.FAILURE_CLASS_UNAVAILABLE, known_effect=tool_pb2.KNOWN_EFFECT_NONE, reason="DOWN"
    )
    wait.retry_after.FromMilliseconds(1_500)
    read = _ending(failure=wait).failure
    assert read is not None
    assert read.retry_after == 1_500_000_000


def test_neither_result_nor_failure_may_have_had_its_effect():
    failure = _ending().failure
    assert failure is not None
    assert (failure.reason, failure.known_effect) == ("OUTCOME_MALFORMED", KnownEffect.POSSIBLE)


@pytest.mark.parametrize("text", ["", "{", "NaN", "[1,]", "1e999", "'a'", '"\\ud800"', "\x00"])
def test_a_result_that_is_not_json_has_had_its_effect(text: str):
    failure = _ending(result_json=text).failure
    assert failure is not None
    assert (failure.reason, failure.known_effect) == ("RESULT_NOT_JSON", KnownEffect.DONE)


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', '[{ "a": "", "b": {"a": 1, "a": 1} }]', '{"a":1,"\\u0061":2}'])
def test_a_member_that_stands_twice_is_refused(text: str):
    failure = _ending(result_json=text).failure
    assert failure is not None
    assert (failure.reason, failure.known_effect) == ("RESULT_NOT_JSON", KnownEffect.DONE)
    assert "'a' stands twice" in failure.message


@pytest.mark.parametrize("text", ['{ "a": 1, "b": 1.0E2 }', '{"a":"\\u0061","b":"\\""}', '[{"a":1},{"a":1}]', "-0"])
def test_however_json_is_written_it_is_taken(text: str):
    assert _ending(result_json=text).result == text


def test_a_result_that_is_too_large_has_had_its_effect():
    largest = f'"{"x" * (incoming.RESULT_BYTES - 2)}"'
    assert _ending(result_json=largest).result == largest
    for text in (largest + " ", f'"{EURO * (incoming.RESULT_BYTES // 3 + 1)}"'):
        failure = _ending(result_json=text).failure
        assert failure is not None
        assert (failure.reason, failure.known_effect) == ("RESULT_TOO_LARGE", KnownEffect.DONE)


def test_unknown_enums_are_read_as_the_most_careful():
    failure = _failure(failure_class=77, known_effect=77, reason="odd reason", refused=True)
    assert failure == Failure(FailureClass.PERMANENT, KnownEffect.POSSIBLE, "REASON_MALFORMED", "", None, False)
    assert _failure().known_effect is KnownEffect.POSSIBLE


def test_only_what_had_no_effect_counts_as_refused():
    assert not _failure(failure_class=5, known_effect=2, reason="R", refused=True).refused


def test_long_words_are_cut():
    assert len(_failure(reason="R", message="x" * 1_000_000).message) == 16_384
    assert len(incoming.read_progress(pb.Progress(call_id="a", message="x" * 1_000_000))[1]) == 4_096


@pytest.mark.parametrize(
    ("sent", "read"), [(0.5, 0.5), (-1.0, 0.0), (7.0, 1.0), (math.inf, 1.0), (math.nan, None), (None, None)]
)
def test_progress_is_a_fraction_or_unknown(sent: float | None, read: float | None):
    assert incoming.read_progress(pb.Progress(call_id="a", fraction=sent))[0] == read


def test_chunks_are_json():
    assert incoming.is_chunk(pb.Chunk(call_id="a", index=0, chunk_json="{}"))
    assert not incoming.is_chunk(pb.Chunk(call_id="a", index=-1, chunk_json="{}"))
    assert not incoming.is_chunk(pb.Chunk(call_id="a", index=0, chunk_json="{"))
    assert not incoming.is_chunk(pb.Chunk(call_id="a", index=0, chunk_json=f'"{"x" * incoming.CHUNK_BYTES}"'))


def test_an_unknown_attach_state_says_nothing():
    assert incoming.read_attach_state(0) == incoming.read_attach_state(99) == "cannot_say"


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1))
def test_times_fit_into_64_bits_or_are_unknown(seconds: int, nanos: int):
    outcome = pb.Outcome(call_id="a", result_json="1")
    for field in (outcome.start_time, outcome.queue_duration, outcome.run_duration):
        field.seconds, field.nanos = seconds, nanos
    ending = incoming.read_ending(outcome)
    for time in (ending.start_time, ending.executor_queue, ending.tool):
        assert time is None or 0 <= time < 2**63


@given(st.binary(max_size=200))
def test_no_message_makes_it_raise(data: bytes):
    outcome = pb.Outcome()
    try:
        outcome.ParseFromString(data)
    except Exception:  # not a message: it never gets here
        return
    ending = incoming.read_ending(outcome)
    assert (ending.result is None) != (ending.failure is None)


def test_integers_that_no_double_holds_are_exact():
    for digits in ("9" * 400, "9" * 1000, "-" + "9" * 1000):
        assert _ending(result_json=f'{{"a":{digits}}}').result == f'{{"a":{digits}}}'
    for wrong in ("1e400", "9" * 1001, "[" * 100 + "9" * 400 + "]" * 100):
        failure = _ending(result_json=wrong).failure
        assert failure is not None
        assert (failure.reason, failure.known_effect) == ("RESULT_NOT_JSON", KnownEffect.DONE)


def _look(**fields: Any) -> Look:
    return incoming.read_look(pb.ProbeAnswer(call_id="b/a/1", **fields))


def test_a_look_is_read_and_what_cannot_be_found_nothing_out():
    assert _look(state=pb.PROBE_STATE_FOUND, result_json='{"a":1}') == Look(Finding.FOUND, '{"a":1}')
    assert _look(state=pb.PROBE_STATE_NOT_FOUND) == Look(Finding.NOT_FOUND)
    assert _look(state=pb.PROBE_STATE_FAILED, message="no bank") == Look(Finding.FAILED, message="no bank")
    for answer in (_look(), _look(state=99), _look(state=pb.PROBE_STATE_FOUND, result_json="{")):
        assert answer.finding is Finding.FAILED
    large = _look(state=pb.PROBE_STATE_FOUND, result_json=f'"{"x" * incoming.RESULT_BYTES}"')
    assert (large.finding, large.result) == (Finding.FAILED, "")
