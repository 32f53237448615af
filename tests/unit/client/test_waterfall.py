"""What each proposal was doing when."""

from rich.console import Console

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight_client.cli.commands.tracing import draw
from greenlight_client.cli.waterfall import Phase, Span, Waterfall, axis
from tests.unit.client.recorded import APPROVED, PROPOSED, Log, at


def _spans(log: Log, end: float) -> list[tuple[str, Phase, int, float, float]]:
    waterfall = Waterfall()
    for event in log.events:
        waterfall.add(event)
    return [
        (span.key, span.phase, span.attempt, (span.start - at(0)).total_seconds(), (span.end - at(0)).total_seconds())
        for span in waterfall.finish(at(end))
    ]


def test_phases_of_a_retry_and_of_what_waits_for_it() -> None:
    log = (
        Log()
        .submitted(2)
        .added("a")
        .added("b", "a")
        .dispatched(1, "a")
        .retrying(2, "a", 3)
        .dispatched(5, "a", attempt=2)
    )
    log.succeeded(6, "a", attempt=2).dispatched(7, "b").succeeded(8, "b")
    assert _spans(log, 8) == [
        ("a", Phase.QUEUE, 0, 0.0, 1.0),
        ("b", Phase.DEPENDENCIES, 0, 0.0, 6.0),
        ("a", Phase.RUN, 1, 1.0, 2.0),
        ("a", Phase.BACKOFF, 1, 2.0, 5.0),
        ("a", Phase.RUN, 2, 5.0, 6.0),
        ("b", Phase.QUEUE, 0, 6.0, 7.0),
        ("b", Phase.RUN, 1, 7.0, 8.0),
    ]


def test_a_decision_and_what_is_still_open() -> None:
    log = Log().submitted(1).added("a", state=PROPOSED).asked(0, "a")
    decision = proposal_pb2.DecisionRecord(principal="user:ann")
    log.proposal(3, "a", APPROVED, proposal_decided=event_pb2.ProposalDecided(decision=decision)).dispatched(3, "a")
    phases = [(phase, start, end) for _, phase, _, start, end in _spans(log, 9) if end > start]
    assert phases == [(Phase.DECISION, 0.0, 3.0), (Phase.RUN, 3.0, 9.0)]


def test_a_failed_run_is_marked() -> None:
    waterfall = Waterfall()
    for event in Log().submitted(1).added("a").dispatched(1, "a").failed(2, "a").events:
        waterfall.add(event)
    assert [span.failed for span in waterfall.finish(at(2)) if span.phase is Phase.RUN] == [True]


def _run(start: float, end: float) -> Span:
    return Span("k", "agent", Phase.RUN, 1, at(start), at(end))


def test_the_axis_is_linear_where_something_always_moves() -> None:
    scale = axis([_run(0, 5), _run(5, 10)], at(0), at(10), 100)
    assert scale.column(5) == 50


def test_hours_of_waiting_for_a_person_are_squeezed() -> None:
    scale = axis([_run(0, 1), _run(7201, 7202)], at(0), at(7202), 100)
    assert scale.column(1) > 40
    assert scale.column(7201) - scale.column(1) == 3
    assert scale.column(7202) == 100


def test_the_drawing() -> None:
    waterfall = Waterfall()
    for event in (
        Log().submitted(2).added("a").added("b", "a").dispatched(1, "a").succeeded(5, "a").dispatched(5, "b").events
    ):
        waterfall.add(event)
    console = Console(width=100)
    with console.capture() as capture:
        console.print(draw(waterfall.finish(at(10)), at(0), at(10), 20))
    first, second = capture.get().splitlines()
    assert first.split(" ")[0] == "a"
    assert "--████████" in first
    assert "··········██████████" in second
