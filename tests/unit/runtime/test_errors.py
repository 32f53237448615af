from typing import Any

import pytest
from google.rpc import code_pb2, error_details_pb2

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
from shared.runtime.errors import to_status

CODES: dict[type[GreenlightError], int] = {
    InvalidError: code_pb2.INVALID_ARGUMENT,
    OutOfRangeError: code_pb2.OUT_OF_RANGE,
    NotFoundError: code_pb2.NOT_FOUND,
    AlreadyExistsError: code_pb2.ALREADY_EXISTS,
    ConflictError: code_pb2.ABORTED,
    PreconditionError: code_pb2.FAILED_PRECONDITION,
    DeniedError: code_pb2.PERMISSION_DENIED,
    ExhaustedError: code_pb2.RESOURCE_EXHAUSTED,
    UnavailableError: code_pb2.UNAVAILABLE,
    InternalError: code_pb2.INTERNAL,
}


def detail(error: GreenlightError, kind: Any) -> Any:
    """The detail of that type, None where there is none."""
    found = kind()
    return next((found for packed in to_status(error).details if packed.Unpack(found)), None)


def test_every_kind_has_one_error_and_one_code():
    assert {error.kind for error in CODES} == set(ErrorKind)
    assert len(set(CODES.values())) == len(CODES)


@pytest.mark.parametrize("kind", CODES)
def test_a_status_says_reason_message_and_metadata(kind: type[GreenlightError]):
    error = kind("SOME_REASON", "Words for people.", metadata={"tool": "note"})
    status = to_status(error)
    info = detail(error, error_details_pb2.ErrorInfo)
    assert (status.code, status.message) == (CODES[kind], "Words for people.")
    assert (info.reason, info.domain, dict(info.metadata)) == ("SOME_REASON", "greenlight", {"tool": "note"})
    assert len(status.details) == 1


def test_violations_are_a_bad_request_or_a_failed_precondition():
    violations = [FieldViolation("calls[0].tool", "unknown"), FieldViolation("calls[1]", "twice")]
    bad = detail(InvalidError("X", "x", violations=violations), error_details_pb2.BadRequest).field_violations
    assert [(v.field, v.description) for v in bad] == [("calls[0].tool", "unknown"), ("calls[1]", "twice")]
    error = PreconditionError("NOT_NOW", "x", violations=violations)
    failed = detail(error, error_details_pb2.PreconditionFailure).violations
    assert [(v.type, v.subject) for v in failed] == [("NOT_NOW", "calls[0].tool"), ("NOT_NOW", "calls[1]")]


@pytest.mark.parametrize("seconds", [0, 0.25, 90])
def test_when_to_come_again(seconds: float):
    retry = detail(ExhaustedError("X", "x", retry_after=seconds), error_details_pb2.RetryInfo)
    assert retry.retry_delay.ToNanoseconds() == int(seconds * 1e9)
    assert detail(ExhaustedError("X", "x"), error_details_pb2.RetryInfo) is None


def test_what_would_not_fit_into_trailers_is_left_out_and_counted():
    violations = [FieldViolation(f"proposals[{n}].arguments_json", "x" * 10_000) for n in range(10_000)]
    error = InvalidError("X", "y" * 100_000, violations=violations, metadata={f"k{n}": "z" * 999 for n in range(100)})
    assert to_status(error).ByteSize() < 7000
    shown = len(detail(error, error_details_pb2.BadRequest).field_violations)
    omitted = int(detail(error, error_details_pb2.ErrorInfo).metadata["violations_omitted"])
    assert shown > 0
    assert shown + omitted == 10_000


def test_text_that_utf8_cannot_say():
    error = InvalidError("X", "half \ud800", violations=[FieldViolation("a\udfff", "\ud800")])
    assert to_status(error).message == "half ?"
