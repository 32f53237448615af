"""Where a batch stands, and small words that several modules share. Numbers are those of the wire."""

from enum import IntEnum


class BatchState(IntEnum):
    """Derived from the proposals' states, in O(1) from their counts."""

    RUNNING = 1
    BLOCKED = 2
    IDLE = 3
    CANCELLING = 4
    SUCCEEDED = 5
    PARTIAL = 6
    FAILED = 7
    REJECTED = 8
    CANCELLED = 9

    @property
    def finished(self) -> bool:
        return self >= BatchState.SUCCEEDED


class Resolution(IntEnum):
    """What a person found out about an unknown outcome."""

    SUCCEEDED = 1
    FAILED = 2
    RUN_AGAIN = 3


class OnInvalid(IntEnum):
    """What to do with a proposal that is at fault by itself."""

    REFUSE = 1
    FAIL_CALL = 2
