"""How an error of the tree looks on the wire: a google.rpc.Status with ErrorInfo and, where they fit, more details."""

from google.protobuf import any_pb2, message
from google.rpc import code_pb2, error_details_pb2, status_pb2  # pyright: ignore[reportMissingTypeStubs]

from shared.kernel.errors import ErrorKind, GreenlightError

DOMAIN = "greenlight"

_CODES = {
    ErrorKind.INVALID: code_pb2.INVALID_ARGUMENT,
    ErrorKind.OUT_OF_RANGE: code_pb2.OUT_OF_RANGE,
    ErrorKind.NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorKind.ALREADY_EXISTS: code_pb2.ALREADY_EXISTS,
    ErrorKind.CONFLICT: code_pb2.ABORTED,
    ErrorKind.PRECONDITION: code_pb2.FAILED_PRECONDITION,
    ErrorKind.DENIED: code_pb2.PERMISSION_DENIED,
    ErrorKind.EXHAUSTED: code_pb2.RESOURCE_EXHAUSTED,
    ErrorKind.UNAVAILABLE: code_pb2.UNAVAILABLE,
    ErrorKind.INTERNAL: code_pb2.INTERNAL,
}
# A status travels in trailers, of which clients take 8 KiB by default.
_MESSAGE = 1000
_VIOLATION = 300
_VIOLATIONS_BYTES = 3000
_METADATA_BYTES = 1000


def to_status(error: GreenlightError) -> status_pb2.Status:
    """Cut to what fits into trailers; ErrorInfo's `violations_omitted` says how many field violations did not."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    for key, value in error.metadata.items():
        if info.ByteSize() < _METADATA_BYTES:
            info.metadata[_fit(key, 64)] = _fit(value, 256)
    details: list[message.Message] = [info]
    if error.violations:
        violations, omitted = _violations(error)
        details.append(violations)
        if omitted:
            info.metadata["violations_omitted"] = str(omitted)
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(error.retry_after * 1e9))
        details.append(retry)
    status = status_pb2.Status(code=_CODES[error.kind], message=_fit(error.message, _MESSAGE))
    status.details.extend(_packed(detail) for detail in details)
    return status


def _violations(error: GreenlightError) -> tuple[message.Message, int]:
    """The violations that fit, and how many do not."""
    precondition = error_details_pb2.PreconditionFailure()
    bad_request = error_details_pb2.BadRequest()
    is_precondition = error.kind is ErrorKind.PRECONDITION
    details = precondition if is_precondition else bad_request
    for index, violation in enumerate(error.violations):
        field, description = _fit(violation.field, _VIOLATION), _fit(violation.description, _VIOLATION)
        if index and details.ByteSize() + len(field) + len(description) > _VIOLATIONS_BYTES:
            return details, len(error.violations) - index
        if is_precondition:
            precondition.violations.add(type=error.reason, subject=field, description=description)
        else:
            bad_request.field_violations.add(field=field, description=description)
    return details, 0


def _packed(detail: message.Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _fit(text: str, limit: int) -> str:
    """Cut, and without what UTF-8 cannot say."""
    text = text if len(text) <= limit else text[: limit - 3] + "..."
    return text.encode("utf-8", "replace").decode("utf-8")
