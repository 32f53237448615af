"""Lines without a terminal."""

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, proposal_pb2
from greenlight_client.cli.model import BatchModel
from greenlight_client.cli.plain import PlainLines
from tests.unit.client.recorded import APPROVED, BATCH, PROPOSED, RUNNING, Log


def _lines(log: Log) -> list[str]:
    model, lines = BatchModel(), PlainLines()
    told = [lines.line(event, model, model.apply(event)) for event in log.events]
    return [line for line in told if line is not None]


def test_a_batch_in_lines() -> None:
    log = Log().submitted(2).added("a").added("b", state=PROPOSED).asked(0, "b").dispatched(0.1, "a")
    log.retrying(0.5, "a", 2).dispatched(2.5, "a", attempt=2).succeeded(2.75, "a", attempt=2)
    log.state(2.75, batch_pb2.BATCH_STATE_BLOCKED, decisions=1)
    log.finished(3, batch_pb2.BATCH_STATE_PARTIAL, total=2, succeeded=1)
    assert _lines(log) == [
        f"+0.000s batch {BATCH} research: 2 proposals in session s",
        f"+0.000s agent/b waiting for a decision (hard) on {BATCH}/b sha256:00",
        "+0.100s agent/a running",
        "+0.500s agent/a retrying in 2.00 s after TOOL_RAISED: busy",
        "+2.500s agent/a running (attempt 2)",
        "+2.750s agent/a done in 2.65 s",
        "+2.750s batch blocked: waits for 1 decision",
        "+3.000s batch partial: 1 of 2 succeeded",
    ]


def test_without_the_submission_no_time_is_made_up() -> None:
    log = Log().submitted(1).added("a").dispatched(0.5, "a").succeeded(2, "a")
    del log.events[0]
    assert _lines(log) == ["agent/a running", "agent/a done in 1.50 s"]


def test_a_resolution_says_as_what_by_whom_and_why() -> None:
    log = Log().submitted(1).added("a").dispatched(0, "a")
    detail = event_pb2.ProposalResolved(
        resolution=event_pb2.RESOLUTION_RUN_AGAIN, principal="user:ann", reason="the bank has nothing"
    )
    log.proposal(60, "a", APPROVED, proposal_resolved=detail)
    assert _lines(log)[-1] == "+60.000s agent/a resolved as run again by user:ann: the bank has nothing"


def test_what_is_learnt_of_an_unknown_outcome() -> None:
    log = Log().submitted(1).added("a").dispatched(0, "a")
    state = proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN
    found = event_pb2.OutcomeProbed(finding=proposal_pb2.PROBE_FINDING_NOT_FOUND)
    failed = event_pb2.OutcomeProbed(finding=proposal_pb2.PROBE_FINDING_FAILED, message="no bank")
    again = event_pb2.ProposalResolved(
        resolution=event_pb2.RESOLUTION_RUN_AGAIN, principal="user:ann", reason="gone", earlier_may_still_run=True
    )
    log.proposal(1, "a", state, outcome_probed=found).proposal(2, "a", state, outcome_probed=failed)
    log.proposal(3, "a", state, outcome_given_up=event_pb2.OutcomeGivenUp())
    log.proposal(4, "a", APPROVED, proposal_resolved=again)
    log.proposal(5, "a", APPROVED, outcome_arrived_late=event_pb2.OutcomeArrivedLate(result_json="7"))
    assert [line.partition("agent/a ")[2] for line in _lines(log)[-5:]] == [
        "its effect was looked for: not found so far",
        "its effect was looked for: that failed: no bank",
        "given up: nobody has said in time what became of it",
        "resolved as run again by user:ann: gone (its earlier attempt may still be running)",
        "attempt 0 ended after it was resolved, which changes nothing: it returned 7",
    ]


def test_escapes_do_not_come_through() -> None:
    log = Log().submitted(1).added("a").dispatched(0, "a").failed(1, "a", "\x1b[31mred\nnext")
    assert _lines(log)[-1] == "+1.000s agent/a failed: TOOL_RAISED: red next"


def test_progress_is_told_at_most_once_a_second() -> None:
    log = Log().submitted(1).added("a").dispatched(0, "a")
    for tenth in range(30):
        progress = event_pb2.AttemptProgressed(fraction=tenth / 30, message=f"step {tenth}")
        log.proposal(tenth / 10, "a", RUNNING, attempt=1, attempt_progressed=progress)
    told = [line for line in _lines(log) if "progress" in line]
    assert told == [
        "+0.000s agent/a progress: 0% step 0",
        "+1.000s agent/a progress: 33% step 10",
        "+2.000s agent/a progress: 67% step 20",
    ]


def test_where_nothing_succeeded_not_everything_is_listed_as_missing() -> None:
    for succeeded, end in ((0, "0 of 2 succeeded"), (1, "1 of 2 succeeded, without a")):
        counts = batch_pb2.Counts(total=2, succeeded=succeeded)
        detail = event_pb2.BatchFinished(state=batch_pb2.BATCH_STATE_FAILED, counts=counts, missing=["a"])
        assert _lines(Log().submitted(2).batch(1, batch_finished=detail))[-1].endswith(end)
