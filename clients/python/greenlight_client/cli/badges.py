"""What is shown of a proposal: one word for where it stands, and the reason why. Pure; the text is cleaned here."""

from dataclasses import dataclass
from datetime import datetime

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_client.cli.formats import count_text, moment, wait_text
from greenlight_client.cli.model import BatchModel, Row
from greenlight_client.cli.sanitise import clean
from greenlight_client.wire import failure_class_name, tier_name, waiting_text

_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Badge:
    """`style` is a Rich style; `reason` one cleaned line, maybe empty."""

    word: str
    style: str
    reason: str = ""


def badge(row: Row, model: BatchModel, now: datetime) -> Badge:
    """Of a proposal, as of `now`."""
    match row.state:
        case proposal_pb2.PROPOSAL_STATE_PROPOSED | proposal_pb2.PROPOSAL_STATE_APPROVED:
            return _waiting(row, model, now)
        case proposal_pb2.PROPOSAL_STATE_RUNNING:
            return Badge("running", "cyan", _progress(row, now))
        case proposal_pb2.PROPOSAL_STATE_SUCCEEDED:
            return Badge("done", "green", f"at attempt {row.attempt}" if row.attempt > 1 else "")
        case proposal_pb2.PROPOSAL_STATE_FAILED:
            return Badge("failed", "red", failure_text(row.failure))
        case proposal_pb2.PROPOSAL_STATE_REJECTED:
            return Badge("rejected", "magenta", _rejection(row))
        case proposal_pb2.PROPOSAL_STATE_EXPIRED:
            return Badge("expired", "red", "nobody decided in time")
        case proposal_pb2.PROPOSAL_STATE_SKIPPED:
            return Badge("skipped", "yellow", f"because of {clean(row.skipped_because)}")
        case proposal_pb2.PROPOSAL_STATE_CANCELLED:
            return Badge("cancelled", "yellow", clean(row.message))
        case proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN:
            return Badge("unknown", "red bold", f"did it happen? {failure_text(row.failure)}".rstrip())
        case _:
            return Badge("?", "dim")


def failure_text(failure: tool_pb2.Failure | None) -> str:
    """`TOOL_RAISED: no such ticker`."""
    if failure is None:
        return ""
    kind = failure.reason or failure_class_name(failure.failure_class).upper()
    return clean(f"{kind}: {failure.message}" if failure.message else kind)


def waits_text(blocked_on: batch_pb2.BlockedOn, separator: str = ", ") -> str:
    """What a batch waits for: `2 decisions`, `1 decision, 1 resolution`; nothing where there are none."""
    counts = ((blocked_on.decisions, "decision"), (blocked_on.resolutions, "resolution"))
    return separator.join(count_text(count, word) for count, word in counts if count)


def _waiting(row: Row, model: BatchModel, now: datetime) -> Badge:
    if row.retry_at is not None and (row.waiting is None or row.retry_at > now):
        left = wait_text((row.retry_at - now).total_seconds())
        return Badge("retrying", "yellow", f"in {left}, after {failure_text(row.failure)}")
    if row.state == proposal_pb2.PROPOSAL_STATE_PROPOSED and row.asked is not None:
        return Badge("waiting", "bold yellow", _for_decision(row.asked, now))
    unmet = model.unmet(row)
    if unmet:
        return Badge("waiting", "dim", f"for {_names(unmet)}")
    return Badge("waiting", "dim", _by_the_server(row))


def _for_decision(asked: event_pb2.DecisionRequested, now: datetime) -> str:
    text = "for your next turn" if asked.tier == tool_pb2.TIER_SOFT else f"for a decision ({tier_name(asked.tier)})"
    expiry = moment(asked.expire_time)
    return text if expiry is None else f"{text}, {wait_text((expiry - now).total_seconds())} left"


def _by_the_server(row: Row) -> str:
    waiting = row.waiting
    if waiting is not None and waiting.keys:
        return f"for {_names(list(waiting.keys))}"
    if waiting is None or not waiting.reason:
        return "to be sent" if row.state == proposal_pb2.PROPOSAL_STATE_APPROVED else "for a decision"
    return f"for {waiting_text(waiting)}"


def _progress(row: Row, now: datetime) -> str:
    parts = [f"attempt {row.attempt}"] if row.attempt > 1 else []
    if row.waiting is not None and row.waiting.reason == proposal_pb2.WAITING_REASON_LOST_EXECUTOR:
        end = moment(row.waiting.until_time)
        parts.append(
            "its executor is lost"
            + ("" if end is None else f", asked for {wait_text((end - now).total_seconds())} more")
        )
    if row.fraction is not None:
        parts.append(f"{min(1.0, max(0.0, row.fraction)):.0%}")
    if row.message:
        parts.append(clean(row.message))
    return ", ".join(parts)


def _rejection(row: Row) -> str:
    if row.decision is None:
        return ""
    by = f"by {clean(row.decision.principal)}"
    return f"{by}: {clean(row.decision.message)}" if row.decision.message else by


def _names(keys: list[str]) -> str:
    shown = ", ".join(clean(key) for key in keys[:_NAMES_SHOWN])
    return shown if len(keys) <= _NAMES_SHOWN else f"{shown} and {len(keys) - _NAMES_SHOWN} more"
