from typing import Any

import pytest

from executor_svc.application.admission import judge
from executor_svc.application.ledger import Ledger, Retention
from executor_svc.application.registry import Hosted, Registry
from executor_svc.application.streams import Stream, Streams
from executor_svc.domain.call import Call, Origin
from executor_svc.domain.outcome import KnownEffect
from executor_svc.domain.tool import Effect


class Spec:
    name, version = "note", "1"
    key = ("note", "1")
    effect = Effect.IDEMPOTENT


class Tool:
    spec, limit, probe = Spec, 2, None


class Desk:
    """One stream with three slots, one tool that may run twice."""

    def __init__(self) -> None:
        tool: Any = Tool
        self.registry = Registry([tool])
        self.streams = Streams(3, self.registry)
        self.stream: Stream = self.streams.add()
        self.streams.divide(0)
        self.ledger = Ledger(Retention(unacknowledged_calls=1))
        self.running = 0

    @property
    def hosted(self) -> Hosted:
        found = self.registry.find("note", "1")
        assert found is not None
        return found

    def reason(self, call_id: str = "b/k/1", timeout: float | None = None) -> str | None:
        origin = Origin("t", "p", "s", "", "b", {}, b"")
        call = Call(call_id, origin, "note", "1", "{}", "", "", 1, "", timeout, b"")
        failure = judge(call, self.hosted, self.stream, self.streams, self.ledger, self.running)
        assert failure is None or (failure.refused and failure.effect is KnownEffect.NONE)
        return failure.reason if failure else None


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_call_is_admitted(desk: Desk):
    assert desk.reason() is None


def test_what_keeps_a_call_from_starting(desk: Desk):
    assert desk.reason(call_id="") == "CALL_ID_INVALID"
    assert desk.reason(timeout=0) == "TIMEOUT_INVALID"
    desk.ledger.fence("b/k/1")
    assert desk.reason() == "CALL_FENCED"
    desk.streams.draining = True
    assert desk.reason(call_id="other") == "DRAINING"


def test_the_limits_of_executor_tool_and_stream_each_hold(desk: Desk):
    desk.running = 3
    assert desk.reason() == "SLOTS_EXHAUSTED"
    desk.running, desk.hosted.running = 0, 2
    assert desk.reason() == "SLOTS_EXHAUSTED"
    desk.hosted.running, desk.stream.grant = 0, 0
    assert desk.reason() == "SLOTS_EXHAUSTED"


def test_what_nobody_fetches_keeps_more_from_being_made(desk: Desk):
    desk.stream.outbox.chunk_bytes = 65 << 20
    assert desk.reason() == "STREAM_UNREAD"
    desk.stream.outbox.chunk_bytes = 0
    desk.ledger.is_full = True
    assert desk.reason() == "OUTCOMES_UNACKNOWLEDGED"
