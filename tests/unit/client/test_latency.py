"""The figures of the demo."""

from datetime import timedelta

from google.protobuf import duration_pb2
from rich.console import Console

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight_client.cli.latency import BlockedTime, attempt_times, compare
from greenlight_client.cli.latency_table import comparison_line, latency_table
from greenlight_client.cli.model import BatchModel
from tests.unit.client.recorded import PROPOSED, Log, failure


def _duration(seconds: float) -> duration_pb2.Duration:
    message = duration_pb2.Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message


def _proposal(
    key: str, *tool: float, after: tuple[str, ...] = (), decision: float | None = None
) -> proposal_pb2.Proposal:
    proposal = proposal_pb2.Proposal(key=key, agent="agent")
    proposal.depends_on.extend(proposal_pb2.Dependency(key=name) for name in after)
    for number, seconds in enumerate(tool, 1):
        attempt = proposal.attempts.add(number=number)
        attempt.timing.tool.CopyFrom(_duration(seconds))
        attempt.timing.wire.CopyFrom(_duration(0.01))
        if number < len(tool):
            attempt.failure.CopyFrom(failure("busy"))
    if decision is not None:
        proposal.decision_wait.CopyFrom(_duration(decision))
    return proposal


def test_sequential_is_the_sum_and_the_path_follows_dependencies() -> None:
    proposals = [_proposal("a", 1.0), _proposal("b", 2.0), _proposal("c", 0.5, 1.0, after=("a",))]
    comparison = compare(proposals, took=10.0, blocked=7.0)
    assert round(comparison.sequential, 6) == 4.54
    assert comparison.took == 3.0
    assert comparison.path.seconds == 2.5
    assert comparison.path.keys == ("a", "c")


def test_a_line_an_attempt_and_dashes_for_what_is_not_known() -> None:
    first, second = attempt_times([_proposal("a", 0.5, 1.0, decision=3.0)])
    assert (first.decision, first.succeeded, first.tool, first.queue) == (3.0, False, 0.5, None)
    assert (second.decision, second.succeeded, second.number) == (None, True, 2)


def test_the_table_and_the_line() -> None:
    proposals = [_proposal("a", 0.5, 1.0, decision=3.0)]
    comparison = compare(proposals, took=4.6, blocked=3.0)
    console = Console(width=120)
    with console.capture() as capture:
        console.print(latency_table(attempt_times(proposals), comparison))
    assert "1 failed" in capture.get()
    assert "* agent/a" in capture.get()
    assert comparison_line(comparison, sequential=False) == (
        "sequential would have taken 1.52 s (sum of what was measured), this took 1.60 s, the critical path is 1.50 s; "
        "3.00 s of waiting for a person are not counted"
    )


def test_time_that_waits_for_people() -> None:
    log = Log().submitted(1).added("a", state=PROPOSED).asked(0, "a")
    log.state(1, batch_pb2.BATCH_STATE_BLOCKED, decisions=1).state(4, batch_pb2.BATCH_STATE_RUNNING)
    log.state(5, batch_pb2.BATCH_STATE_BLOCKED, decisions=1).finished(7, batch_pb2.BATCH_STATE_FAILED, total=1)
    blocked, model = BlockedTime(), BatchModel()
    for event in log.events:
        blocked.add(event)
        model.apply(event)
    assert blocked.seconds == 5.0
