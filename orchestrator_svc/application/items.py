"""Requests of many items over many batches: grouped by batch, answered item by item, in request order."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.proposal import Proposal
from shared.kernel.errors import ErrorKind, GreenlightError, NotFoundError

_SHOWN_ID = 256


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """What became of one item. `kind` None: done. `state` 0: unknown proposal."""

    proposal_id: str
    kind: ErrorKind | None = None
    reason: str = ""
    message: str = ""
    state: int = 0
    revision: int = 0
    digest: str = ""


def split_id(proposal_id: str) -> tuple[str, str]:
    """Batch id and key; a malformed id gives ("", "")."""
    batch_id, slash, key = proposal_id.partition("/")
    return (batch_id, key) if slash and key and "/" not in key else ("", "")


def done(batch: Batch, proposal: Proposal) -> ItemAnswer:
    return ItemAnswer(
        batch.proposal_id(proposal),
        state=int(proposal.state),
        revision=proposal.revision,
        digest=proposal.decidable_digest,
    )


def fault(proposal_id: str, error: GreenlightError, proposal: Proposal | None = None) -> ItemAnswer:
    state, revision, digest = 0, 0, ""
    if proposal is not None:
        state, revision, digest = int(proposal.state), proposal.revision, proposal.decidable_digest
    return ItemAnswer(proposal_id, error.kind, error.reason, error.message, state, revision, digest)


def unknown(proposal_id: str) -> ItemAnswer:
    """What is no id may be of any length: it is told cut."""
    return fault(proposal_id[:_SHOWN_ID], unknown_proposal(proposal_id))


def unknown_proposal(proposal_id: str) -> NotFoundError:
    return NotFoundError(
        "PROPOSAL_UNKNOWN",
        f"no proposal {proposal_id[:200]!r} here; its id is BATCH_ID/KEY",
        metadata={"proposal_id": proposal_id[:200]},
    )


def by_batch(proposal_ids: Iterable[str]) -> dict[str, list[int]]:
    """Batch id -> positions in the request; "" for malformed ids."""
    groups: dict[str, list[int]] = {}
    for position, proposal_id in enumerate(proposal_ids):
        groups.setdefault(split_id(proposal_id)[0], []).append(position)
    return groups


def dump(answers: Iterable[tuple[int, ItemAnswer]]) -> dict[str, Any]:
    """For the record: position -> answer."""
    return {
        str(position): asdict(answer) | {"kind": answer.kind.value if answer.kind else None}
        for position, answer in answers
    }


def load(recorded: bytes) -> dict[int, ItemAnswer]:
    return undump(orjson.loads(recorded))


def undump(dumped: dict[str, Any]) -> dict[int, ItemAnswer]:
    answers: dict[int, ItemAnswer] = {}
    for position, members in dumped.items():
        kind = ErrorKind(members["kind"]) if members["kind"] else None
        answers[int(position)] = ItemAnswer(**members | {"kind": kind})
    return answers
