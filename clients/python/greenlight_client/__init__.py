"""The client library: propose tool calls, watch them, decide, read what is on record.

async with GreenlightClient("127.0.0.1:50051") as client:
    answers = await client.run_calls([call("quote", {"ticker": "ACME"}), call("news", {"ticker": "ACME"})])
    texts = [answer_text(answer) for answer in answers]
"""

from greenlight_client.answers import CallError, answer_text, value
from greenlight_client.backoff import Backoff
from greenlight_client.calls import (
    BatchOptions,
    call,
    finished,
    literal,
    ref,
    succeeded,
    template,
    template_yaml,
)
from greenlight_client.client import DEFAULT_SERVER, GreenlightClient
from greenlight_client.deciding import decision_on
from greenlight_client.errors import (
    AlreadyExistsError,
    ConflictError,
    DeadlineError,
    DeniedError,
    EventsCompactedError,
    ExhaustedError,
    FieldViolation,
    GreenlightError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    PreconditionError,
    ServerError,
    UnavailableError,
    error_from_status,
)
from greenlight_client.streams import EventStream, SoftConfirmStream

__all__ = [
    "DEFAULT_SERVER",
    "AlreadyExistsError",
    "Backoff",
    "BatchOptions",
    "CallError",
    "ConflictError",
    "DeadlineError",
    "DeniedError",
    "EventStream",
    "EventsCompactedError",
    "ExhaustedError",
    "FieldViolation",
    "GreenlightClient",
    "GreenlightError",
    "InvalidArgumentError",
    "NotFoundError",
    "OutOfRangeError",
    "PreconditionError",
    "ServerError",
    "SoftConfirmStream",
    "UnavailableError",
    "answer_text",
    "call",
    "decision_on",
    "error_from_status",
    "finished",
    "literal",
    "ref",
    "succeeded",
    "template",
    "template_yaml",
    "value",
]
