"""Events as frames: every detail comes back, frames concatenate, and what is too large is cut."""

import typing
from itertools import pairwise
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st

from greenlight.orchestrator.v1 import event_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from orchestrator_svc.adapters.codec.details import WRITERS
from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.domain import events
from orchestrator_svc.domain.events import Event
from orchestrator_svc.domain.proposal import DecisionRecord, Finding, ProposalState, Timing, Verdict
from orchestrator_svc.domain.states import BatchState, Resolution
from orchestrator_svc.domain.tool import Effect, Failure, FailureClass, KnownEffect, Tier
from orchestrator_svc.ports.codec import FRAME_BYTES

NOW = 1_767_225_600_123_456_789
CODEC = ProtobufEventCodec()
FAILURE = Failure(FailureClass.RATE_LIMITED, KnownEffect.POSSIBLE, "TOO_MANY", "later", 1_500_000_000, True)
FAILURE_JSON = {
    "failure_class": "FAILURE_CLASS_RATE_LIMITED",
    "known_effect": "KNOWN_EFFECT_POSSIBLE",
    "reason": "TOO_MANY",
    "message": "later",
    "retry_after": "1.500s",
    "refused": True,
}
TIMING = Timing(1, 0, 2_000_000_003, -1_500_000_000, None)
TIMING_JSON = {
    "queue_wait": "0.000000001s",
    "executor_queue": "0s",
    "tool": "2.000000003s",
    "wire": "-1.500s",
}
TIME_JSON = "2026-01-01T00:00:00.123456789Z"
DECISION = DecisionRecord(Verdict.REJECT, "user:ann", "no", "sha256:1", True, True, True, NOW)

# Each detail, the name of its field, and what the wire says of it.
DETAILS: list[tuple[events.Detail, str, dict[str, Any]]] = [
    (
        events.BatchSubmitted("s1", "night", 3, True, "t1", "report@1", "user:ann"),
        "batch_submitted",
        {
            "session_id": "s1",
            "name": "night",
            "total": 3,
            "open": True,
            "trace_id": "t1",
            "template": "report@1",
            "principal": "user:ann",
        },
    ),
    (
        events.ProposalAdded(7, "buy", "2.1", Tier.HARD, Effect.NON_IDEMPOTENT, "Buy", ("a", "b"), FAILURE),
        "proposal_added",
        {
            "ordinal": 7,
            "tool": "buy",
            "version": "2.1",
            "tier": "TIER_HARD",
            "effect": "EFFECT_NON_IDEMPOTENT",
            "title": "Buy",
            "depends_on": ["a", "b"],
            "failure": FAILURE_JSON,
        },
    ),
    (
        events.DecisionRequested(Tier.SOFT, "sha256:1", 4, NOW, True),
        "decision_requested",
        {"tier": "TIER_SOFT", "digest": "sha256:1", "revision": "4", "expire_time": TIME_JSON, "bound": True},
    ),
    (
        events.ProposalDecided(DECISION, 5),
        "proposal_decided",
        {
            "decision": {
                "verdict": "VERDICT_REJECT",
                "principal": "user:ann",
                "message": "no",
                "digest": "sha256:1",
                "edited": True,
                "accept_unbound": True,
                "soft_confirmed": True,
                "decide_time": TIME_JSON,
            },
            "revision": "5",
        },
    ),
    (events.ProposalExpired(6), "proposal_expired", {"revision": "6"}),
    (
        events.ProposalBound("sha256:2", 2, ("a",)),
        "proposal_bound",
        {"bound_digest": "sha256:2", "revision": "2", "missing_inputs": ["a"]},
    ),
    (events.AttemptDispatched("e1"), "attempt_dispatched", {"executor_id": "e1"}),
    (events.AttemptStarted(NOW), "attempt_started", {"start_time": TIME_JSON}),
    (events.AttemptProgressed(0.5, "half"), "attempt_progressed", {"fraction": 0.5, "message": "half"}),
    (events.AttemptProgressed(0.0, ""), "attempt_progressed", {"fraction": 0.0}),
    (events.AttemptProgressed(None, ""), "attempt_progressed", {}),
    (events.AttemptChunkReceived(0, ""), "attempt_chunk_received", {}),
    (events.AttemptChunkReceived(2, '"x"'), "attempt_chunk_received", {"index": 2, "chunk_json": '"x"'}),
    (
        events.AttemptRetrying(FAILURE, NOW, TIMING),
        "attempt_retrying",
        {"failure": FAILURE_JSON, "next_time": TIME_JSON, "timing": TIMING_JSON},
    ),
    (
        events.ProposalSucceeded('{"a":1}', NOW, TIMING),
        "proposal_succeeded",
        {"result_json": '{"a":1}', "start_time": TIME_JSON, "timing": TIMING_JSON},
    ),
    (events.ProposalSucceeded("1", None, None), "proposal_succeeded", {"result_json": "1"}),
    (events.ProposalSucceeded("1", None, Timing()), "proposal_succeeded", {"result_json": "1", "timing": {}}),
    (
        events.ProposalFailed(FAILURE, NOW, TIMING),
        "proposal_failed",
        {"failure": FAILURE_JSON, "start_time": TIME_JSON, "timing": TIMING_JSON},
    ),
    (events.ProposalSkipped("a"), "proposal_skipped", {"because": "a"}),
    (
        events.ProposalCancelled("user:ann", "enough"),
        "proposal_cancelled",
        {"principal": "user:ann", "reason": "enough"},
    ),
    (events.OutcomeBecameUnknown(FAILURE), "outcome_unknown", {"failure": FAILURE_JSON}),
    (
        events.OutcomeProbed(Finding.FAILED, "busy"),
        "outcome_probed",
        {"finding": "PROBE_FINDING_FAILED", "message": "busy"},
    ),
    (events.OutcomeProbed(Finding.NOT_FOUND, ""), "outcome_probed", {"finding": "PROBE_FINDING_NOT_FOUND"}),
    (events.OutcomeGivenUp(NOW), "outcome_given_up", {"deadline_time": TIME_JSON}),
    (events.OutcomeArrivedLate("1", None), "outcome_arrived_late", {"result_json": "1"}),
    (events.OutcomeArrivedLate(None, FAILURE), "outcome_arrived_late", {"failure": FAILURE_JSON}),
    (
        events.ProposalResolved(Resolution.RUN_AGAIN, "user:ann", "gone", "", True),
        "proposal_resolved",
        {
            "resolution": "RESOLUTION_RUN_AGAIN",
            "principal": "user:ann",
            "reason": "gone",
            "earlier_may_still_run": True,
        },
    ),
    (
        events.ProposalResolved(Resolution.SUCCEEDED, "user:ann", "looked", "{}"),
        "proposal_resolved",
        {
            "resolution": "RESOLUTION_SUCCEEDED",
            "principal": "user:ann",
            "reason": "looked",
            "result_json": "{}",
        },
    ),
    (
        events.ProposalRetried("user:ann", "again", 3),
        "proposal_retried",
        {"principal": "user:ann", "reason": "again", "revision": "3"},
    ),
    (events.ProposalUnskipped(3), "proposal_unskipped", {"revision": "3"}),
    (
        events.BatchCancelRequested("user:ann", "enough"),
        "batch_cancel_requested",
        {"principal": "user:ann", "reason": "enough"},
    ),
    (events.BatchClosed("policy:idle_timeout"), "batch_closed", {"principal": "policy:idle_timeout"}),
    (
        events.BatchStateChanged(BatchState.BLOCKED, 2, 1),
        "batch_state_changed",
        {"state": "BATCH_STATE_BLOCKED", "blocked_on": {"decisions": 2, "resolutions": 1}},
    ),
    (events.BatchStateChanged(BatchState.RUNNING, 0, 0), "batch_state_changed", {"state": "BATCH_STATE_RUNNING"}),
    (
        events.BatchFinished(BatchState.PARTIAL, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), ("a", "b")),
        "batch_finished",
        {
            "state": "BATCH_STATE_PARTIAL",
            "counts": {
                "total": 55,
                "proposed": 1,
                "approved": 2,
                "running": 3,
                "succeeded": 4,
                "failed": 5,
                "rejected": 6,
                "expired": 7,
                "skipped": 8,
                "cancelled": 9,
                "outcome_unknown": 10,
            },
            "missing": ["a", "b"],
        },
    ),
]


def event(sequence: int, detail: events.Detail | None = None, time: int = NOW) -> Event:
    return Event(sequence, time, "key", "data", 2, ProposalState.RUNNING, detail or events.AttemptDispatched("e1"))


def decoded(payload: bytes) -> pb.EventFrame:
    return pb.EventFrame.FromString(payload)


@pytest.mark.parametrize(("detail", "name", "expected"), DETAILS, ids=[name for _, name, _ in DETAILS])
def test_every_detail_comes_back(detail: events.Detail, name: str, expected: dict[str, Any]) -> None:
    [frame] = CODEC.encode("b1", [event(5, detail)])
    [found] = decoded(frame.payload).events
    assert found.WhichOneof("detail") == name
    assert MessageToDict(getattr(found, name), preserving_proto_field_name=True) == expected


def test_the_list_has_every_detail() -> None:
    known = set(typing.get_args(events.Detail))
    assert {type(detail) for detail, _, _ in DETAILS} == known
    assert set(WRITERS) == known
    fields = {field.name for field in pb.Event.DESCRIPTOR.oneofs_by_name["detail"].fields}
    assert {name for _, name, _ in DETAILS} == fields


def test_a_detail_without_content_is_still_there() -> None:
    empty: list[events.Detail] = [
        events.BatchSubmitted("", "", 0, False, "", "", ""),
        events.AttemptProgressed(None, ""),
        events.AttemptChunkReceived(0, ""),
        events.BatchCancelRequested("", ""),
    ]
    [frame] = CODEC.encode("b1", [event(n, detail) for n, detail in enumerate(empty, 1)])
    assert all(found.WhichOneof("detail") for found in decoded(frame.payload).events)


def test_the_envelope() -> None:
    of_proposal = event(5)
    of_batch = Event(6, NOW + 1, "", "", 0, None, events.BatchClosed("user:ann"))
    [frame] = CODEC.encode("b1", [of_proposal, of_batch])
    message = decoded(frame.payload)
    first, second = message.events
    assert (frame.first, frame.last, message.sequence) == (5, 6, 6)
    assert (first.batch_id, first.sequence, first.key, first.agent, first.attempt) == ("b1", 5, "key", "data", 2)
    assert first.state == proposal_pb2.PROPOSAL_STATE_RUNNING
    assert first.time.ToNanoseconds() == NOW
    assert second.time.ToNanoseconds() == NOW + 1
    assert (second.batch_id, second.key, second.agent, second.attempt, second.state) == ("b1", "", "", 0, 0)


def test_nothing_is_no_frame() -> None:
    assert CODEC.encode("b1", []) == []


class TestCutting:
    def test_at_64_entries(self) -> None:
        frames = CODEC.encode("b1", [event(n) for n in range(10, 10 + 130)])
        assert [(frame.first, frame.last) for frame in frames] == [(10, 73), (74, 137), (138, 139)]

    def test_at_one_mebibyte(self) -> None:
        chunk = "x" * 300_000
        frames = CODEC.encode("b1", [event(n, events.AttemptChunkReceived(n, chunk)) for n in range(1, 9)])
        assert [(frame.first, frame.last) for frame in frames] == [(1, 3), (4, 6), (7, 8)]
        assert all(len(frame.payload) <= FRAME_BYTES for frame in frames)

    def test_one_entry_may_exceed_it(self) -> None:
        large = events.ProposalSucceeded("x" * (FRAME_BYTES + 1), None, None)
        frames = CODEC.encode("b1", [event(1), event(2, large), event(3)])
        assert [(frame.first, frame.last) for frame in frames] == [(1, 1), (2, 2), (3, 3)]

    @settings(deadline=None)
    @given(st.lists(st.integers(0, 700_000), min_size=1, max_size=12))
    def test_no_frame_is_too_large_and_none_could_take_more(self, sizes: list[int]) -> None:
        details = [events.AttemptChunkReceived(0, "x" * size) for size in sizes]
        frames = CODEC.encode("b1", [event(n, detail) for n, detail in enumerate(details, 1)])
        assert [frame.first for frame in frames] == [1, *(frame.last + 1 for frame in frames[:-1])]
        assert all(len(frame.payload) <= FRAME_BYTES or frame.first == frame.last for frame in frames)
        for frame, following in pairwise(frames):
            first = decoded(following.payload).events[0]
            assert len(frame.payload) + first.ByteSize() > FRAME_BYTES - 32


_DETAIL = st.sampled_from([detail for detail, _, _ in DETAILS])


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(_DETAIL, st.integers(0, 2**62)), min_size=1, max_size=5), min_size=1, max_size=5))
def test_frames_concatenate(groups: list[list[tuple[events.Detail, int]]]) -> None:
    payload, everything = b"", list[Event]()
    for group in groups:
        first = len(everything) + 1
        made = [event(first + n, detail, time) for n, (detail, time) in enumerate(group)]
        everything += made
        payload += b"".join(frame.payload for frame in CODEC.encode("b1", made))
    [whole] = CODEC.encode("b1", everything)
    assert decoded(payload) == decoded(whole.payload)


class TestTrim:
    @pytest.mark.parametrize(("after", "left"), [(0, [5, 6, 7]), (4, [5, 6, 7]), (5, [6, 7]), (7, []), (9, [])])
    def test_events_up_to_a_cursor_go(self, after: int, left: list[int]) -> None:
        [frame] = CODEC.encode("b1", [event(n) for n in (5, 6, 7)])
        trimmed = decoded(CODEC.trim(frame.payload, after))
        assert [found.sequence for found in trimmed.events] == left
        assert trimmed.sequence == 7

    def test_what_is_left_is_as_it_was(self) -> None:
        made = [event(n, detail) for n, (detail, _, _) in enumerate(DETAILS, 1)]
        [frame] = CODEC.encode("b1", made)
        [rest] = CODEC.encode("b1", made[10:])
        assert CODEC.trim(frame.payload, 10) == rest.payload
