"""Bytes that are put around stored frames read as the messages that they stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenlight.orchestrator.v1 import batch_pb2, event_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.api import frames
from orchestrator_svc.application.watch import Frames

STORED = event_pb2.EventFrame(events=[event_pb2.Event(batch_id="b", sequence=7)], sequence=7)


@pytest.mark.parametrize("response", [pb.RunBatchResponse, pb.WatchBatchResponse, pb.WatchSessionResponse])
def test_a_stored_frame_is_field_1_of_every_response(response: type[pb.RunBatchResponse]):
    made = response.FromString(frames.batch_frame(Frames(STORED.SerializeToString(), 7)))
    assert made == response(frame=STORED)
    assert made.SerializeToString() == frames.batch_frame(Frames(STORED.SerializeToString(), 7))


@given(st.integers(1, 2**62))
def test_a_heartbeat_is_a_sequence_alone(sequence: int):
    made = pb.WatchBatchResponse.FromString(frames.batch_frame(Frames(b"", sequence)))
    assert made == pb.WatchBatchResponse(frame=event_pb2.EventFrame(sequence=sequence))


@given(st.text(st.characters(codec="ascii"), max_size=300))
def test_over_several_batches_there_is_a_token_and_no_sequence(token: str):
    for payload, events in ((STORED.SerializeToString(), STORED.events), (b"", [])):
        made = pb.WatchSessionResponse.FromString(frames.session_frame(Frames(payload, token=token)))
        assert made.frame == event_pb2.EventFrame(events=events, session_token=token)


def test_joined_frames_and_their_length():
    payload = STORED.SerializeToString() * 5000
    made = pb.WatchBatchResponse.FromString(frames.batch_frame(Frames(payload, 7)))
    assert len(made.frame.events) == 5000


def test_the_last_frame_and_the_confirmation():
    summary = batch_pb2.Summary(wait_ended=True)
    last = pb.RunBatchResponse.FromString(frames.last_frame(summary, 9))
    assert (last.frame.sequence, last.frame.summary) == (9, summary)
    said = pb.SoftConfirmation(confirmed=["a/b"])
    assert pb.SoftConfirmResponse.FromString(frames.confirmation(said)).confirmation == said
