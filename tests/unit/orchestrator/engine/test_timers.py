"""The heap of what happens by itself, where time went by in which nobody listened."""

import pytest

from orchestrator_svc.application.engine import timers as module
from orchestrator_svc.application.engine.timers import Timers
from orchestrator_svc.domain.changes import Timer, TimerKind
from tests.support.clock import ManualClock

SECOND = 1_000_000_000


def timer(seconds: int, kind: TimerKind) -> Timer:
    return Timer(seconds * SECOND, kind, 1, 1)


def kinds(timers: Timers) -> list[TimerKind]:
    return [due.kind for _, due in timers.take_due()]


def test_only_what_executors_have_to_answer_in_is_longer() -> None:
    clock = ManualClock()
    timers = Timers(clock, lambda batch_id: True)
    timers.add("b", [timer(5, TimerKind.GRACE), timer(6, TimerKind.EXPIRY), timer(7, TimerKind.BACKOFF)], 0)
    clock.advance(20)
    timers.excuse(16)
    assert kinds(timers) == [TimerKind.EXPIRY, TimerKind.BACKOFF]
    assert timers.awaits_executors
    clock.advance(1)
    assert kinds(timers) == [TimerKind.GRACE]
    assert not timers.awaits_executors
    assert timers.due_in() is None


def test_those_of_batches_that_are_gone_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEW", 2)
    timers = Timers(ManualClock(), lambda batch_id: batch_id == "here")
    timers.add("gone", [timer(5, TimerKind.GRACE)] * 3, 0)
    assert not timers.awaits_executors
    timers.add("here", [timer(5, TimerKind.GRACE)], 0)
    assert timers.awaits_executors
