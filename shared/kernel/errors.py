"""The one tree of errors. Each carries its kind; the server's interceptor alone turns a kind into a gRPC status.

GreenlightError
├── InvalidError         INVALID        the request is wrong and will stay wrong
├── OutOfRangeError      OUT_OF_RANGE   a cursor or number beyond what there is
├── NotFoundError        NOT_FOUND      no such thing (or not in this tenant)
├── AlreadyExistsError   ALREADY_EXISTS the name is taken
├── ConflictError        CONFLICT       it moved since the caller looked: look again, then repeat
├── PreconditionError    PRECONDITION   wrong state: something else has to happen first
├── DeniedError          DENIED         this principal may not
├── ExhaustedError       EXHAUSTED      a limit is reached: try again later
├── UnavailableError     UNAVAILABLE    not now: try again later
└── InternalError        INTERNAL       our own fault
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class ErrorKind(Enum):
    """What the caller can do about an error."""

    INVALID = "invalid"
    OUT_OF_RANGE = "out_of_range"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    CONFLICT = "conflict"
    PRECONDITION = "precondition"
    DENIED = "denied"
    EXHAUSTED = "exhausted"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One thing that is wrong: `field` is a path into the request (`proposals[3].arguments_json`), or the subject."""

    field: str
    description: str


class GreenlightError(Exception):
    """`reason` is UPPER_SNAKE_CASE for machines, `message` for people, `retry_after` seconds (None: don't say)."""

    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = list(violations)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class InvalidError(GreenlightError):
    """The request is wrong and will stay wrong; `violations` say where."""

    kind = ErrorKind.INVALID


class OutOfRangeError(GreenlightError):
    """A cursor or number beyond what there is."""

    kind = ErrorKind.OUT_OF_RANGE


class NotFoundError(GreenlightError):
    """No such thing; another tenant's counts as none."""

    kind = ErrorKind.NOT_FOUND


class AlreadyExistsError(GreenlightError):
    """The name is taken."""

    kind = ErrorKind.ALREADY_EXISTS


class ConflictError(GreenlightError):
    """It moved since the caller looked: look again, then repeat."""

    kind = ErrorKind.CONFLICT


class PreconditionError(GreenlightError):
    """Wrong state; `violations` name what has to happen first."""

    kind = ErrorKind.PRECONDITION


class DeniedError(GreenlightError):
    """This principal may not."""

    kind = ErrorKind.DENIED


class ExhaustedError(GreenlightError):
    """A limit is reached; `retry_after` says when it may be worth another try."""

    kind = ErrorKind.EXHAUSTED


class UnavailableError(GreenlightError):
    """Not now; `retry_after` says when it may be worth another try."""

    kind = ErrorKind.UNAVAILABLE


class InternalError(GreenlightError):
    """Our own fault; the message must not tell the caller more than that."""

    kind = ErrorKind.INTERNAL
