"""Frames: an origin once, at most 64 calls or 1 MiB, everything of a call in it."""

from greenlight.executor.v1 import executor_pb2 as pb
from orchestrator_svc.adapters.executor.outgoing import FrameWriter, frame_length
from tests.support.calls import make_call, make_calls, make_origin

EURO = "\u20ac"


def test_a_call_is_written_whole():
    call = make_call("batch-1/a/2", arguments='{"a":1}', timeout=1_500_000_000)
    frame = pb.CallFrame()
    FrameWriter().write([call], frame)
    (written,) = frame.calls
    assert (written.id, written.tool, written.version, written.arguments_json) == (call.id, "echo", "1", '{"a":1}')
    assert (written.digest, written.idempotency_key) == (call.digest, call.idempotency_key)
    assert (written.attempt, written.agent, written.span_id) == (2, "agent", b"12345678")
    assert (written.timeout.seconds, written.timeout.nanos) == (1, 500_000_000)
    (origin,) = frame.origins
    assert (origin.tenant, origin.principal, origin.session_id) == ("default", "user:ann", "session-1")
    assert (origin.batch_id, dict(origin.labels), origin.context_json) == ("batch-1", {"team": "red"}, "{}")
    assert origin.trace_id.hex() == call.origin.trace_id
    assert (origin.fencing_token.epoch, origin.fencing_token.incarnation_id) == (1, "i")


def test_no_timeout_means_the_tool_s():
    frame = pb.CallFrame()
    FrameWriter().write([make_call()], frame)
    assert not frame.calls[0].HasField("timeout")


def test_an_origin_stands_once_a_frame_and_batch():
    one, other = make_origin("one"), make_origin("other")
    calls = [*make_calls(2, origin=one), *make_calls(2, origin=other), *make_calls(1, origin=one, first=2)]
    frame = pb.CallFrame()
    FrameWriter().write(calls, frame)
    assert [origin.batch_id for origin in frame.origins] == ["one", "other"]
    assert [call.origin for call in frame.calls] == [0, 0, 1, 1, 0]


def test_many_batches_do_not_pile_up():
    writer = FrameWriter()
    for number in range(1_000):
        frame = pb.CallFrame()
        writer.write(make_calls(1, origin=make_origin(f"batch-{number}")), frame)
        assert frame.origins[0].batch_id == f"batch-{number}"
    assert len(writer._origins) <= 256


def test_frames_are_cut_by_count_and_by_size():
    assert frame_length(make_calls(65)) == 64
    assert frame_length(make_calls(3)) == 3
    big = [make_call(f"b/k{number}/1", arguments=f'"{"x" * 400_000}"') for number in range(5)]
    assert frame_length(big) == 2
    huge = [make_call(f"b/k{number}/1", arguments=f'"{"x" * 2_000_000}"') for number in range(2)]
    assert frame_length(huge) == 1
    wide = [make_call(f"b/k{number}/1", arguments=f'"{EURO * 200_000}"') for number in range(5)]
    assert frame_length(wide) == 1
    contexts = [make_call("b/k/1", origin=make_origin(str(n), f'"{"x" * 400_000}"')) for n in range(5)]
    assert frame_length(contexts) == 2
