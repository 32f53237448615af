"""Small structures kept as compact JSON arrays, by position; a new member goes to the end. '' is none."""

from typing import Any

import orjson

from orchestrator_svc.domain.proposal import Attempt, DecisionRecord, Finding, Probe, Timing, Verdict
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect, RetryPolicy

dumps = orjson.dumps


def write_failure(failure: Failure | None) -> str:
    return dumps(_failure(failure)).decode() if failure is not None else ""


def read_failure(text: str) -> Failure | None:
    return _read_failure(orjson.loads(text)) if text else None


def write_attempts(attempts: tuple[Attempt, ...]) -> str:
    return dumps([_attempt(attempt) for attempt in attempts]).decode() if attempts else ""


def read_attempts(text: str) -> tuple[Attempt, ...]:
    return tuple([_read_attempt(*row) for row in orjson.loads(text)]) if text else ()


def write_decisions(decisions: tuple[DecisionRecord, ...]) -> str:
    return dumps([tuple(decision) for decision in decisions]).decode() if decisions else ""


def read_decisions(text: str) -> tuple[DecisionRecord, ...]:
    return tuple([DecisionRecord(Verdict(row[0]), *row[1:]) for row in orjson.loads(text)]) if text else ()


def write_retry(policy: RetryPolicy) -> str:
    return dumps((policy.max_attempts, policy.initial_delay, policy.max_delay)).decode()


def read_retry(text: str) -> RetryPolicy:
    return RetryPolicy(*orjson.loads(text))


def write_strings(strings: tuple[str, ...]) -> str:
    return dumps(strings).decode() if strings else ""


def read_strings(text: str) -> tuple[str, ...]:
    return tuple(orjson.loads(text)) if text else ()


def write_map(labels: dict[str, str]) -> str:
    return dumps(labels).decode() if labels else ""


def read_map(text: str) -> dict[str, str]:
    return orjson.loads(text) if text else {}


def _failure(failure: Failure) -> tuple[Any, ...]:
    return (
        failure.failure_class,
        failure.known_effect,
        failure.reason,
        failure.message,
        failure.retry_after,
        failure.refused,
    )


def _read_failure(row: list[Any]) -> Failure:
    return Failure(FailureClass(row[0]), KnownEffect(row[1]), *row[2:])


def _attempt(attempt: Attempt) -> tuple[Any, ...]:
    failure, timing = attempt.failure, attempt.timing
    return (
        *attempt[:7],
        _failure(failure) if failure is not None else None,
        tuple(timing) if timing is not None else None,
        attempt.finish_sequence,
        *_ending_of(attempt),
    )


def _ending_of(attempt: Attempt) -> tuple[Any, ...]:
    """Of most there is nothing to say, and nothing is written."""
    probe = tuple(attempt.probe) if attempt.probe is not None else None
    if attempt.look_until is not None:
        return attempt.over, probe, attempt.look_until
    if probe is not None:
        return attempt.over, probe
    return (True,) if attempt.over else ()


def _read_attempt(
    number: int,
    executor_id: str,
    boot_id: str,
    dispatch_time: int,
    queue_wait: int,
    start_time: int | None,
    finish_time: int | None,
    failure: list[Any] | None,
    timing: list[int | None] | None,
    finish_sequence: int,
    over: bool = False,
    probe: list[Any] | None = None,
    look_until: int | None = None,
) -> Attempt:
    return Attempt(
        number,
        executor_id,
        boot_id,
        dispatch_time,
        queue_wait,
        start_time,
        finish_time,
        _read_failure(failure) if failure is not None else None,
        Timing(*timing) if timing is not None else None,
        finish_sequence,
        over,
        Probe(Finding(probe[0]), *probe[1:]) if probe is not None else None,
        look_until,
    )
