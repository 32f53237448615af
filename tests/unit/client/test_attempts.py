"""An attempt in one line."""

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli.attempts import attempt_text
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
