"""What is remembered of calls that no longer run: how they ended, or that they must never start."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from executor_svc.domain.outcome import Outcome


@dataclass(slots=True)
class Ended:
    """`outcome` is None once it was acknowledged and no longer kept; the id is remembered for a while longer."""

    digest: str
    outcome: Outcome | None
    acknowledged: bool = False
    tenant: str = ""


REMINDERS, REMINDER_BYTES = 64, 1 << 20
"""Of one time."""

_DROPPED = Ended("", None, acknowledged=True)


@dataclass(frozen=True, slots=True)
class Retention:
    """For how long, and how much at most.

    Ended calls stay until acknowledged and `seconds` more. Without acknowledgements no more than `unacknowledged_calls`
    or `unacknowledged_bytes` pile up: then new calls are refused. Of the acknowledged, the newest `kept_calls` keep
    their result; the ids of all are remembered. After `reminder_seconds` without one, an outcome is said again.
    """

    seconds: float = 60.0
    reminder_seconds: float = 60.0
    unacknowledged_calls: int = 100_000
    unacknowledged_bytes: int = 256 << 20
    kept_calls: int = 4_000
    fenced: int = 100_000


class Ledger:
    """Ended and fenced calls by id. `is_full` while too many outcomes wait to be acknowledged; `forget` is to be called
    now and then."""

    def __init__(self, retention: Retention) -> None:
        self.fenced: set[str] = set()
        self.is_full = False
        self._retention = retention
        self._ended: dict[str, Ended] = {}
        self._expiring: deque[tuple[float, list[str]]] = deque()
        self._kept: deque[str] = deque()
        self._recalled: set[str] = set()
        self._said: dict[str, float] = {}
        self._unacknowledged = 0
        self._unacknowledged_bytes = 0

    def add(self, digest: str, outcome: Outcome, tenant: str, now: float) -> None:
        self._ended[outcome.call_id] = Ended(digest, outcome, tenant=tenant)
        self._said[outcome.call_id] = now
        self._count(1, _size(outcome))

    def get(self, call_id: str) -> Ended | None:
        return self._ended.get(call_id)

    def acknowledge(self, call_ids: Iterable[str], now: float) -> list[str]:
        """Repeated ones are ignored. Returns those that the journal has, too."""
        bucket: list[str] = []
        journalled: list[str] = []
        for call_id in call_ids:
            ended = self._ended.get(call_id)
            if ended is None:
                if call_id in self._recalled:
                    self._recalled.discard(call_id)
                    journalled.append(call_id)
                continue
            if ended.acknowledged:
                continue
            ended.acknowledged = True
            del self._said[call_id]
            if ended.outcome is not None:
                self._count(-1, -_size(ended.outcome))
                if ended.outcome.position:
                    journalled.append(call_id)
            bucket.append(call_id)
        if bucket:
            self._expiring.append((now + self._retention.seconds, bucket))
            self._kept.extend(bucket)
            while len(self._kept) > self._retention.kept_calls:
                self._ended[self._kept.popleft()] = _DROPPED
        return journalled

    def forget(self, now: float) -> None:
        """Drops what was acknowledged long enough ago."""
        while self._expiring and self._expiring[0][0] <= now:
            for call_id in self._expiring.popleft()[1]:
                # Both queues are in the order of acknowledgement.
                if self._ended.pop(call_id) is not _DROPPED:
                    self._kept.popleft()

    def unheard(self, now: float) -> list[tuple[str, Outcome]]:
        """A few of those that nobody has acknowledged for long, with their tenants; the next time, others."""
        found: list[tuple[str, Outcome]] = []
        size, until = 0, now - self._retention.reminder_seconds
        for call_id, said in self._said.items():
            ended = self._ended[call_id]
            if said > until or len(found) >= REMINDERS or size >= REMINDER_BYTES:
                break
            assert ended.outcome is not None
            found.append((ended.tenant, ended.outcome))
            size += _size(ended.outcome)
        for _, outcome in found:
            del self._said[outcome.call_id]
            self._said[outcome.call_id] = now
        return found

    def fence(self, call_id: str) -> bool:
        """From now on the call is refused. False: too many are fenced already to promise it of one more."""
        if call_id not in self.fenced and len(self.fenced) >= self._retention.fenced:
            return False
        self.fenced.add(call_id)
        return True

    def recall(self, call_id: str) -> None:
        """Its outcome was fetched from the journal, and is to be acknowledged there. Beyond a number, once more."""
        if len(self._recalled) < self._retention.unacknowledged_calls:
            self._recalled.add(call_id)

    def unfence(self, call_id: str) -> None:
        """It is known, after all: nothing was said that would have to be kept."""
        self.fenced.discard(call_id)

    def _count(self, calls: int, size: int) -> None:
        self._unacknowledged += calls
        self._unacknowledged_bytes += size
        self.is_full = (
            self._unacknowledged >= self._retention.unacknowledged_calls
            or self._unacknowledged_bytes >= self._retention.unacknowledged_bytes
        )


def _size(outcome: Outcome) -> int:
    return len(outcome.result) if outcome.result is not None else 0
