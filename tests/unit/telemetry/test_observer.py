"""What spans and metrics a batch leaves, from its committed changes alone."""

from typing import Any

import pytest

from orchestrator_svc.adapters.observer.telemetry import TelemetryObserver
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect, Tier
from shared.runtime.telemetry.ids import derive_span_id
from shared.runtime.telemetry.meters import Meters
from tests.support.clock import ManualClock
from tests.support.flow import TRACE, Flow
from tests.support.spans import KeptSpans, span_id, trace_id

TRANSIENT = Failure(FailureClass.TRANSIENT, KnownEffect.NONE, "TOOL_RAISED", "sorry")
PERMANENT = Failure(FailureClass.PERMANENT, KnownEffect.NONE, "TOOL_RAISED", "sorry")


class Watched:
    """An observer, and what it has made."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.spans = KeptSpans()
        self.meters = Meters()
        self.observer = TelemetryObserver(self.spans, self.meters, self.clock, sampled_per_second=10)

    def restart(self) -> None:
        """Nothing but the record survives."""
        self.observer = TelemetryObserver(self.spans, Meters(), self.clock, sampled_per_second=10)

    def points(self, name: str) -> dict[tuple[Any, ...], Any]:
        """Attribute values -> data point."""
        for metric in self.meters.collect(1, 2):
            if metric.name == name:
                return {tuple((point.attributes or {}).values()): point for point in metric.data.data_points}
        return {}


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_one_batch_is_one_tree(watched: Watched):
    flow = Flow(watched.observer, watched.clock)
    flow.submit(("a", Tier.HARD))
    watched.clock.advance(60)
    flow.approve("a")
    watched.clock.advance(1)
    sent = flow.dispatch("a", queue_wait=1_000_000_000)
    watched.clock.advance(2)
    flow.end("a")
    assert watched.spans.tree() == {
        "": ["invoke_workflow report"],
        "invoke_workflow report": ["execute_tool echo"],
        "execute_tool echo": ["approval_wait", "queue_wait", "attempt"],
    }
    (attempt,) = watched.spans.named("attempt")
    assert span_id(attempt) == int.from_bytes(sent)
    assert {trace_id(span) for span in watched.spans.ended} == {int(TRACE, 16)}
    seconds = {span.name: ((span.end_time or 0) - (span.start_time or 0)) / 1e9 for span in watched.spans.ended}
    assert seconds == {
        "invoke_workflow report": 63,
        "execute_tool echo": 63,
        "approval_wait": 60,
        "queue_wait": 1,
        "attempt": 2,
    }


def test_a_batch_hangs_below_its_callers_span(watched: Watched):
    flow = Flow(watched.observer, watched.clock, trace_parent="b7ad6b7169203331")
    flow.submit(("a", Tier.AUTO))
    flow.dispatch("a")
    flow.end("a")
    (batch,) = watched.spans.named("invoke_workflow report")
    assert batch.parent is not None
    assert (batch.parent.span_id, batch.parent.trace_id) == (0xB7AD6B7169203331, int(TRACE, 16))
    assert batch.parent.is_remote
    assert watched.spans.tree()["invoke_workflow report"] == ["execute_tool echo"]


def test_a_handled_error_stays_on_its_attempt(watched: Watched):
    flow = Flow(watched.observer, watched.clock)
    flow.submit(("a", Tier.AUTO))
    flow.dispatch("a")
    flow.end("a", TRANSIENT)
    flow.dispatch("a")
    flow.end("a")
    first, second = watched.spans.named("attempt")
    assert (first.attributes or {})["error.type"] == "TOOL_RAISED"
    assert not first.status.is_ok
    assert second.status.is_ok
    (proposal,) = watched.spans.named("execute_tool echo")
    assert proposal.status.is_ok
    assert (proposal.attributes or {})["greenlight.attempts"] == 2
    assert watched.points("greenlight.attempts")["echo", "TRANSIENT"].value == 1
    assert watched.points("gen_ai.execute_tool.duration")["echo",].count == 1


def test_a_failure_is_one_of_proposal_and_batch(watched: Watched):
    flow = Flow(watched.observer, watched.clock)
    flow.submit(("a", Tier.AUTO), ("b", Tier.AUTO, "a"))
    flow.dispatch("a")
    flow.end("a", PERMANENT)
    failed, skipped = watched.spans.named("execute_tool echo")
    assert (failed.attributes or {})["error.type"] == "TOOL_RAISED"
    assert (skipped.attributes or {})["greenlight.skipped_because"] == "a"
    assert skipped.status.is_ok
    (batch,) = watched.spans.named("invoke_workflow report")
    assert not batch.status.is_ok
    assert watched.points("greenlight.batches")["FAILED",].value == 1


def test_a_rejection_has_its_wait(watched: Watched):
    flow = Flow(watched.observer, watched.clock)
    flow.submit(("a", Tier.HARD))
    watched.clock.advance(5)
    flow.approve("a", reject=True)
    (wait,) = watched.spans.named("approval_wait")
    assert (wait.attributes or {})["greenlight.decision"] == "rejected"
    assert watched.points("greenlight.approval_wait")["rejected",].sum == 5


def test_a_restart_in_a_human_wait_keeps_the_tree(watched: Watched):
    flow = Flow(watched.observer, watched.clock)
    flow.submit(("a", Tier.HARD), ("b", Tier.AUTO))
    flow.dispatch("b")
    flow.end("b")
    watched.restart()
    flow.observer = watched.observer
    watched.clock.advance(7_200)
    flow.approve("a")
    flow.dispatch("a")
    flow.end("a")
    tree = watched.spans.tree()
    assert tree[""] == ["invoke_workflow report"]
    assert tree["invoke_workflow report"] == ["execute_tool echo", "execute_tool echo"]


def test_large_batches_are_sampled_at_a_rate(watched: Watched):
    flow = Flow(watched.observer, watched.clock)
    keys = [f"k{number}" for number in range(101)]
    flow.submit(*[(key, Tier.AUTO) for key in keys])
    sampled = [key for key in keys if flow.dispatch(key)]
    assert len(sampled) == 10
    for key in keys:
        flow.end(key)
    expected = {derive_span_id(TRACE, f"0190aaaa-batch/{key}", "proposal") for key in sampled}
    assert {span_id(span) for span in watched.spans.named("execute_tool echo")} == {
        int.from_bytes(derived) for derived in expected
    }
    assert len(watched.spans.named("attempt")) == 10
    assert len(watched.spans.named("invoke_workflow report")) == 1
    assert watched.points("gen_ai.execute_tool.duration")["echo",].count == 101


def test_a_retry_is_sampled_as_its_first_attempt(watched: Watched):
    flow = Flow(watched.observer, watched.clock)
    keys = [f"k{number}" for number in range(101)]
    flow.submit(*[(key, Tier.AUTO) for key in keys])
    first = [bool(flow.dispatch(key)) for key in keys]
    for key in keys:
        flow.end(key, TRANSIENT)
    watched.clock.advance(10)
    assert [bool(flow.dispatch(key)) for key in keys] == first


def test_a_batch_that_grows_past_the_limit_keeps_what_was_sampled(watched: Watched):
    flow = Flow(watched.observer, watched.clock, open=True)
    flow.submit(("first", Tier.AUTO))
    assert flow.dispatch("first")
    flow.submit(*[(f"k{number}", Tier.AUTO) for number in range(100)])
    flow.end("first")
    assert len(watched.spans.named("execute_tool echo")) == 1


def test_without_a_trace_there_are_metrics_only(watched: Watched):
    flow = Flow(watched.observer, watched.clock, trace_id="")
    flow.submit(("a", Tier.AUTO))
    assert flow.dispatch("a") == b""
    flow.end("a")
    assert watched.spans.ended == []
    assert watched.points("greenlight.batches")["SUCCEEDED",].value == 1


def test_in_flight_is_what_runs(watched: Watched):
    flow = Flow(watched.observer, watched.clock)
    flow.submit(("a", Tier.AUTO), ("b", Tier.AUTO))
    flow.dispatch("a")
    flow.dispatch("b")
    assert watched.points("greenlight.in_flight")[()].value == 2
    flow.end("a")
    assert watched.points("greenlight.in_flight")[()].value == 1
    flow.end("b")
    assert watched.points("greenlight.in_flight")[()].value == 0
