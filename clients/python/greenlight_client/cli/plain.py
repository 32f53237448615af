"""Without a terminal: one plain line for each event that tells something, with the seconds since the submission.

Where that is not known (a stream that began later) a line has no time.
"""

from collections.abc import Callable
from datetime import datetime

from greenlight.orchestrator.v1 import batch_pb2, event_pb2
from greenlight_client.cli.attempts import finding_text
from greenlight_client.cli.badges import failure_text, waits_text
from greenlight_client.cli.formats import count_text, duration_text, moment
from greenlight_client.cli.model import BatchModel, Row
from greenlight_client.cli.sanitise import clean
from greenlight_client.wire import batch_state_name, resolution_name, tier_name

_LONGEST = 300


class PlainLines:
    """Turns events into lines. Progress is told when it says something new and a second has passed."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], datetime] = {}

    def line(self, event: event_pb2.Event, model: BatchModel, row: Row | None) -> str | None:
        """One line, or None for an event that is not worth one."""
        text = _batch_text(event, model) if row is None else self._proposal_text(event, row)
        if not text:
            return None
        at = moment(event.time)
        since = ""
        if at is not None and model.submitted is not None:
            since = f"+{(at - model.submitted).total_seconds():.3f}s "
        subject = f"{clean(row.agent)}/{clean(row.key)}" if row is not None else "batch"
        return clean(f"{since}{subject} {text}", _LONGEST)

    def _proposal_text(self, event: event_pb2.Event, row: Row) -> str | None:
        detail = event.WhichOneof("detail")
        if detail == "attempt_progressed":
            return self._progress(event, row)
        teller = _TELLERS.get(detail or "")
        return teller(event, row) if teller is not None else None

    def _progress(self, event: event_pb2.Event, row: Row) -> str | None:
        at = moment(event.time)
        told = self._told.get((event.batch_id, row.key))
        if at is None or (told is not None and (at - told).total_seconds() < 1.0):
            return None
        self._told[event.batch_id, row.key] = at
        percent = f"{row.fraction:.0%} " if row.fraction is not None else ""
        return f"progress: {percent}{row.message}".rstrip()


def _batch_text(event: event_pb2.Event, model: BatchModel) -> str | None:
    match event.WhichOneof("detail"):
        case "batch_submitted":
            detail = event.batch_submitted
            name = f" {detail.name}" if detail.name else ""
            return f"{event.batch_id}{name}: {count_text(detail.total, 'proposal')} in session {detail.session_id}"
        case "batch_closed":
            return f"closed by {event.batch_closed.principal}"
        case "batch_cancel_requested":
            return f"is being cancelled by {event.batch_cancel_requested.principal}"
        case "batch_state_changed":
            return f"{batch_state_name(model.state)}{_waits(model)}"
        case "batch_finished":
            counts = event.batch_finished.counts
            some = event.batch_finished.missing and counts.succeeded
            missing = f", without {', '.join(event.batch_finished.missing)}" if some else ""
            return f"{batch_state_name(model.state)}: {counts.succeeded} of {counts.total} succeeded{missing}"
        case _:
            return None


def _waits(model: BatchModel) -> str:
    if model.state != batch_pb2.BATCH_STATE_BLOCKED:
        return ""
    waits = waits_text(model.blocked_on)
    return f": waits for {waits}" if waits else ""


def _added(event: event_pb2.Event, row: Row) -> str | None:
    return f"failed: {failure_text(row.failure)}" if row.failure is not None else None


def _asked(event: event_pb2.Event, row: Row) -> str | None:
    asked = event.decision_requested
    return f"waiting for a decision ({tier_name(asked.tier)}) on {event.batch_id}/{row.key} {asked.digest}"


def _decided(event: event_pb2.Event, row: Row) -> str | None:
    decision = event.proposal_decided.decision
    word = "rejected" if row.is_ended else "approved"
    edited = ", edited" if decision.edited else ""
    message = f": {decision.message}" if decision.message else ""
    return f"{word} by {decision.principal}{edited}{message}"


def _dispatched(event: event_pb2.Event, row: Row) -> str | None:
    return f"running (attempt {event.attempt})" if event.attempt > 1 else "running"


def _retrying(event: event_pb2.Event, row: Row) -> str | None:
    at, then = moment(event.time), moment(event.attempt_retrying.next_time)
    delay = f" in {duration_text((then - at).total_seconds())}" if at is not None and then is not None else ""
    return f"retrying{delay} after {failure_text(row.failure)}"


def _succeeded(event: event_pb2.Event, row: Row) -> str | None:
    at = moment(event.time)
    elapsed = row.elapsed(at) if at is not None else None
    return "done" if elapsed is None else f"done in {duration_text(elapsed.total_seconds())}"


def _resolved(event: event_pb2.Event, row: Row) -> str | None:
    resolved = event.proposal_resolved
    reason = f": {resolved.reason}" if resolved.reason else ""
    still = " (its earlier attempt may still be running)" if resolved.earlier_may_still_run else ""
    return f"resolved as {resolution_name(resolved.resolution)} by {resolved.principal}{reason}{still}"


def _arrived_late(event: event_pb2.Event, row: Row) -> str | None:
    late = event.outcome_arrived_late
    how = failure_text(late.failure) if late.HasField("failure") else f"it returned {late.result_json}"
    return f"attempt {event.attempt} ended after it was resolved, which changes nothing: {how}"


def _probed(event: event_pb2.Event, row: Row) -> str | None:
    probed = event.outcome_probed
    return f"its effect was looked for: {finding_text(probed.finding, probed.message)}"


def _chunk(event: event_pb2.Event, row: Row) -> str | None:
    return f"says {event.attempt_chunk_received.chunk_json}"


_TELLERS: dict[str, Callable[[event_pb2.Event, Row], str | None]] = {
    "proposal_added": _added,
    "decision_requested": _asked,
    "proposal_decided": _decided,
    "proposal_expired": lambda event, row: "expired: nobody decided in time",
    "attempt_dispatched": _dispatched,
    "attempt_chunk_received": _chunk,
    "attempt_retrying": _retrying,
    "proposal_succeeded": _succeeded,
    "proposal_failed": lambda event, row: f"failed: {failure_text(row.failure)}",
    "proposal_skipped": lambda event, row: f"skipped because of {row.skipped_because}",
    "proposal_cancelled": lambda event, row: f"cancelled: {row.message}" if row.message else "cancelled",
    "outcome_unknown": lambda event, row: f"outcome unknown: {failure_text(row.failure)}",
    "outcome_probed": _probed,
    "outcome_given_up": lambda event, row: "given up: nobody has said in time what became of it",
    "outcome_arrived_late": _arrived_late,
    "proposal_resolved": _resolved,
    "proposal_retried": lambda event, row: f"tried again by {event.proposal_retried.principal}",
}
