"""Refusals of commands as they travel between orchestrators: nothing of an error is lost on the way."""

from dataclasses import dataclass

import msgspec

from shared.kernel.errors import (
    AlreadyExistsError,
    ConflictError,
    DeniedError,
    ErrorKind,
    ExhaustedError,
    FieldViolation,
    GreenlightError,
    InternalError,
    InvalidError,
    NotFoundError,
    OutOfRangeError,
    PreconditionError,
    UnavailableError,
)

_CLASSES: dict[ErrorKind, type[GreenlightError]] = {
    each.kind: each
    for each in (
        InvalidError,
        OutOfRangeError,
        NotFoundError,
        AlreadyExistsError,
        ConflictError,
        PreconditionError,
        DeniedError,
        ExhaustedError,
        UnavailableError,
        InternalError,
    )
}


@dataclass(frozen=True, slots=True)
class _Refusal:
    kind: ErrorKind
    reason: str
    message: str
    metadata: dict[str, str]
    violations: list[FieldViolation]
    retry_after: float | None


def write_refusal(error: GreenlightError) -> bytes:
    refusal = _Refusal(error.kind, error.reason, error.message, error.metadata, error.violations, error.retry_after)
    return msgspec.json.encode(refusal)


def read_refusal(written: bytes) -> GreenlightError:
    refusal = msgspec.json.decode(written, type=_Refusal)
    return _CLASSES[refusal.kind](
        refusal.reason,
        refusal.message,
        metadata=refusal.metadata,
        violations=refusal.violations,
        retry_after=refusal.retry_after,
    )
