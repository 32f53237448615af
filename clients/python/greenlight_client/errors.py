"""What a request can come to instead of an answer: one tree, built from the gRPC status and its details.

GreenlightError
├── InvalidArgumentError  the request is wrong and will stay wrong; `violations` say where
├── OutOfRangeError       a cursor beyond what there is
│   └── EventsCompactedError  a cursor before what there is: old events are gone, the batch itself is there
├── NotFoundError         no such thing (or not in this tenant)
├── AlreadyExistsError    the name is taken
├── ConflictError         it moved since you looked: look again, then repeat
├── PreconditionError     wrong state: something else has to happen first
├── DeniedError           this principal may not
├── ExhaustedError        a limit is reached; `retry_after` says when to try again
├── UnavailableError      the server cannot be reached, or says "not now"
├── DeadlineError         no answer within the time that was given
└── ServerError           the server's own fault, or an answer that makes no sense

CallError stands apart: `value(answer)` raises it for a call that gave no result, which is data, not a failed request.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2  # pyright: ignore[reportMissingTypeStubs]
from grpc_status import rpc_status


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One thing that is wrong: `field` is a path into the request (`batch.proposals.items[3].tool`), or the subject."""

    field: str
    description: str


class GreenlightError(Exception):
    """A request that was not answered. `reason` is UPPER_SNAKE_CASE for machines ("" where the server gave none)."""

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode,
        reason: str = "",
        metadata: dict[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata = metadata or {}
        self.violations = list(violations)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.reason or self.code.name}: {self.message}"


class InvalidArgumentError(GreenlightError):
    """The request is wrong and will stay wrong; `violations` say where."""


class OutOfRangeError(GreenlightError):
    """A cursor or number beyond what there is."""


class EventsCompactedError(OutOfRangeError):
    """Events that were asked for are gone. What they came to is there: `get_batch(batch_id, "answers")`.

    `watch(on_compacted=...)` goes on by itself with what there is; else go on after `oldest_sequence` - 1, or, in a
    session, with `session_token` (empty where the server gave none: begin anew without one).
    """

    @property
    def batch_id(self) -> str:
        return self.metadata.get("batch_id", "")

    @property
    def oldest_sequence(self) -> int:
        """Of the first event that is there."""
        return int(self.metadata.get("oldest_sequence", "1"))

    @property
    def session_token(self) -> str:
        return self.metadata.get("session_token", "")


class NotFoundError(GreenlightError):
    """No such thing; another tenant's counts as none."""


class AlreadyExistsError(GreenlightError):
    """The name is taken."""


class ConflictError(GreenlightError):
    """It moved since you looked: look again, then repeat."""


class PreconditionError(GreenlightError):
    """Wrong state; `violations` name what has to happen first."""


class DeniedError(GreenlightError):
    """This principal may not."""


class ExhaustedError(GreenlightError):
    """A limit is reached; `retry_after` says when it may be worth another try."""


class UnavailableError(GreenlightError):
    """The server cannot be reached, or says "not now"; it was tried again for as long as the client is set to."""


class DeadlineError(GreenlightError):
    """No answer within the time that was given."""


class ServerError(GreenlightError):
    """The server's own fault, or an answer that makes no sense."""


_BY_CODE: dict[grpc.StatusCode, type[GreenlightError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.OUT_OF_RANGE: OutOfRangeError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
    grpc.StatusCode.ABORTED: ConflictError,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionError,
    grpc.StatusCode.PERMISSION_DENIED: DeniedError,
    grpc.StatusCode.UNAUTHENTICATED: DeniedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ExhaustedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.CANCELLED: UnavailableError,  # by the server, which ended when the request had just arrived
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
}

_BY_REASON: dict[str, type[GreenlightError]] = {"EVENTS_COMPACTED": EventsCompactedError}

# The synchronous form: a caught error holds everything already, and there is nothing to wait for.
_status_from = cast(
    Callable[[grpc.RpcError], status_pb2.Status | None],
    rpc_status.from_call,  # pyright: ignore[reportUnknownMemberType]
)

_CODE_BY_NUMBER: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def error_from_rpc(error: grpc.aio.AioRpcError) -> GreenlightError:
    """The typed error of a failed RPC."""
    try:
        status = _status_from(error)
    except ValueError:  # details that contradict the status: the status alone is believed
        status = None
    details = status.details if status is not None else ()
    return _build(error.code(), error.details() or "", details)


def error_from_status(status: status_pb2.Status) -> GreenlightError:
    """The typed error of one item's google.rpc.Status (of a decision, a cancel, a retry)."""
    code = _CODE_BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN)
    return _build(code, status.message, status.details)


def _build(code: grpc.StatusCode, message: str, details: Iterable[any_pb2.Any]) -> GreenlightError:
    reason, metadata, violations, retry_after = "", dict[str, str](), list[FieldViolation](), None
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    precondition = error_details_pb2.PreconditionFailure()
    retry = error_details_pb2.RetryInfo()
    for detail in details:
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad_request):
            violations += [FieldViolation(item.field, item.description) for item in bad_request.field_violations]
        elif detail.Unpack(precondition):
            violations += [FieldViolation(item.subject, item.description) for item in precondition.violations]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code, ServerError)
    return kind(
        message or code.name.lower().replace("_", " "),
        code=code,
        reason=reason,
        metadata=metadata,
        violations=violations,
        retry_after=retry_after,
    )
