"""Where a stream over a session's batches stands: the highest batch number seen, and the unfinished ones' sequences.

Opaque to clients; small, because finished batches leave it. One that went on after it was finished stays: what the
token does not name and is not above the highest was seen up to its first end.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

import orjson

from orchestrator_svc.ports.store import BatchHead
from shared.kernel.errors import FieldViolation, InvalidError

_TOO_MUCH = 1 << 63


@dataclass(slots=True)
class SessionCursor:
    """`highest`: the highest session number seen. `open`: session number -> last sequence, of unfinished batches.

    `session`: whose numbers these are (`session_mark`); what was shown of one session says nothing of another.
    """

    session: str
    highest: int = 0
    open: dict[int, int] = field(default_factory=dict[int, int])

    def encode(self) -> str:
        text = orjson.dumps([self.session, self.highest, sorted(self.open.items())])
        return base64.urlsafe_b64encode(text).decode().rstrip("=")

    def after(self, head: BatchHead) -> int:
        """The last sequence that was seen of a batch."""
        seen = head.session_no <= self.highest
        return self.open.get(head.session_no, head.reopened_after if seen else 0)

    def advance(self, head: BatchHead, sequence: int) -> None:
        """That is the last one seen now. A batch leaves the cursor when it is finished and all of it is seen: not where
        more is seen than `head` knew of, for then it has been reopened since."""
        self.open[head.session_no] = sequence
        self.highest = max(self.highest, head.session_no)
        if sequence == head.head and head.state.finished and not head.reopened_after:
            del self.open[head.session_no]

    def shown(self, session_no: int, sequence: int) -> bool:
        """Whether an event of a batch lies before it."""
        if session_no in self.open:
            return sequence <= self.open[session_no]
        return session_no <= self.highest


def session_mark(tenant: str, session_id: str) -> str:
    """Short, for the token: it tells sessions apart, and keeps no secret."""
    return hashlib.blake2b(f"{tenant}\n{session_id}".encode(), digest_size=6).hexdigest()


def decode_cursor(token: str, field_name: str, tenant: str, session_id: str) -> SessionCursor:
    """Raises InvalidError (SESSION_TOKEN_INVALID), also for a token of another session."""
    session = session_mark(tenant, session_id)
    if not token:
        return SessionCursor(session)
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        mark, highest, pairs = orjson.loads(text)
        numbers: dict[int, int] = dict(pairs)
        values = [highest, *numbers, *numbers.values()]
        if not all(isinstance(value, int) and 0 <= value < _TOO_MUCH for value in values):
            raise ValueError
    except (binascii.Error, ValueError, TypeError):
        raise _invalid(field_name, "is not a session_token; take it from a WatchSession frame as it is") from None
    if mark != session:
        raise _invalid(field_name, "is of another session; take it from a WatchSession frame of this one")
    return SessionCursor(session, highest, numbers)


def _invalid(field_name: str, problem: str) -> InvalidError:
    return InvalidError(
        "SESSION_TOKEN_INVALID", f"{field_name} {problem}", violations=[FieldViolation(field_name, problem)]
    )
