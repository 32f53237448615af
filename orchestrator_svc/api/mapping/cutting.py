"""What of a proposal, a page or a list of answers makes a message too large is left out of it, and said."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from orchestrator_svc.api.mapping.faults import Faults
from shared.runtime.limits import MAX_SENT_BYTES

_ENVELOPE = 1024
ROOM = MAX_SENT_BYTES - _ENVELOPE
"""What the lists of a message may take."""
_HISTORY, _SMALL = 256 << 10, 16 << 10
# In the order in which they are left out: the result last, for nothing else shows it.
_LARGE = (
    "original_arguments_json",
    "missing_inputs",
    "waiting",
    "depends_on",
    "proposed_arguments_json",
    "bound_arguments_json",
    "result_json",
)
_ITEM_MESSAGE = 256

M = TypeVar("M", bound=Message)


def wire_size(size: int) -> int:
    """Of a field of that many bytes: with its tag and length, and what it adds to the length around it."""
    return size + 8


def cut_proposal(message: proposal_pb2.Proposal, room: int = ROOM) -> proposal_pb2.Proposal:
    """The same one, in `room` bytes (1 MiB at least): first old attempts and decisions go, then whole fields."""
    if message.ByteSize() <= room:
        return message
    for name in ("attempts", "decisions"):
        entries = getattr(message, name)
        kept = _latest(entries)
        if kept < len(entries):
            del entries[: len(entries) - kept]
            message.omitted.append(name)
    for name in _LARGE:
        if message.ByteSize() <= room:
            break
        owner, field = (message.waiting, "keys") if name == "waiting" else (message, name)
        if _size(getattr(owner, field)) > _SMALL:
            _clear(owner, field)
            message.omitted.append(name)
    return message


def read_mask(mask: FieldMask) -> frozenset[str]:
    """Names of fields; empty: all. Raises InvalidError (REQUEST_INVALID)."""
    faults = Faults()
    known = proposal_pb2.Proposal.DESCRIPTOR.fields_by_name
    for index, path in enumerate(mask.paths):
        if path not in known:
            faults.add(f"read_mask.paths[{index}]", f"{path[:64]!r} is no field of Proposal; such as result_json")
    faults.check()
    return frozenset(mask.paths)


def keep_fields(message: proposal_pb2.Proposal, names: frozenset[str]) -> None:
    """Clears all others, but for the id. No names: all of them stay."""
    for name in message.DESCRIPTOR.fields_by_name if names else ():
        if name not in names and name != "proposal_id":
            _clear(message, name)


def _size(value: str | Iterable[str | Message]) -> int:
    """About."""
    if isinstance(value, str):
        return len(value)
    return sum(wire_size(len(item) if isinstance(item, str) else item.ByteSize()) for item in value)


def _clear(message: Message, name: str) -> None:
    message.ClearField(name)


def _latest(entries: Sequence[Message]) -> int:
    """How many of the last ones fit into what a history may take."""
    taken = 0
    for count, entry in enumerate(reversed(entries)):
        taken += wire_size(entry.ByteSize())
        if taken > _HISTORY:
            return count
    return len(entries)


def fit(messages: Iterable[M], taken: int = 0) -> list[M]:
    """From the first on, as many as fit, and one at least."""
    kept: list[M] = []
    for message in messages:
        taken += wire_size(message.ByteSize())
        if kept and taken > ROOM:
            break
        kept.append(message)
    return kept


def shorten_items(answers: Sequence[pb.ProposalAnswer]) -> None:
    """All of them stay, with their reasons; words to people are cut where there are too many."""
    if sum(wire_size(answer.ByteSize()) for answer in answers) > ROOM:
        for answer in answers:
            if len(answer.status.message) > _ITEM_MESSAGE:
                answer.status.message = answer.status.message[: _ITEM_MESSAGE - 3] + "..."
