"""An attempt in one line, and what is known of one whose outcome is unknown."""

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli.attempts import attempt_text, known_of
from tests.unit.client.recorded import at, failure


def test_both_times_are_named_and_so_is_the_executor() -> None:
    attempt = proposal_pb2.Attempt(number=2, executor_id="0195a000-0001-7000-8000-000000000001")
    attempt.dispatch_time.FromDatetime(at(0))
    attempt.timing.queue_wait.FromMilliseconds(250)
    sent = "2: sent 2026-03-01 12:00:00 UTC to executor 0195a000-0001"
    assert attempt_text(attempt) == f"{sent}, not ended, queued 0.25 s"
    attempt.finish_time.FromDatetime(at(75))
    attempt.failure.CopyFrom(failure("gone"))
    assert attempt_text(attempt) == f"{sent}, ended 2026-03-01 12:01:15 UTC, queued 0.25 s, TOOL_RAISED: gone"


def unknown(**members: object) -> proposal_pb2.Proposal:
    item = proposal_pb2.Proposal(state=proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN)
    attempt = item.attempts.add(number=1, **members)  # type: ignore[arg-type]
    attempt.finish_time.FromDatetime(at(75))
    return item


def test_of_a_lost_one_that_it_may_still_run() -> None:
    item = unknown(may_still_run=True)
    item.waiting.until_time.FromDatetime(at(3600))
    assert known_of(item) == [
        "unknown since 2026-03-01 12:01:15 UTC",
        "it may still be running: nobody has said that it is over",
        "given up 2026-03-01 13:00:00 UTC, if nobody has said by then what became of it",
    ]


def test_of_one_that_was_looked_for_what_was_found() -> None:
    item = unknown()
    probe = item.attempts[0].probe
    probe.probe_time.FromDatetime(at(80))
    probe.finding, probe.count = proposal_pb2.PROBE_FINDING_NOT_FOUND, 3
    item.finish_time.FromDatetime(at(90))
    assert known_of(item)[1:] == [
        "it is over: its executor has said so",
        "its effect was looked for 3 times, last 2026-03-01 12:01:20 UTC: not found so far",
        "given up 2026-03-01 12:01:30 UTC: what needed its success was skipped",
    ]
    probe.finding, probe.count, probe.message = proposal_pb2.PROBE_FINDING_FAILED, 1, "\x1b[31mno bank"
    assert known_of(item)[2].endswith("looked for 1 time, last 2026-03-01 12:01:20 UTC: that failed: no bank")
