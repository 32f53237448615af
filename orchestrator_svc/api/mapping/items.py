"""What became of the items of a request: each with a status like an RPC's."""

from collections.abc import Iterable

from google.rpc import status_pb2  # pyright: ignore[reportMissingTypeStubs]

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from orchestrator_svc.api.mapping.cutting import shorten_items
from orchestrator_svc.application.items import ItemAnswer
from shared.kernel.errors import ErrorKind, GreenlightError
from shared.runtime.errors import to_status

_ERRORS: dict[ErrorKind, type[GreenlightError]] = {error.kind: error for error in GreenlightError.__subclasses__()}


def item_messages(answers: Iterable[ItemAnswer]) -> list[pb.ProposalAnswer]:
    """Of a request; where they are very many, their words to people are shortened."""
    messages = [
        pb.ProposalAnswer(
            proposal_id=answer.proposal_id,
            status=_status(answer),
            state=proposal_pb2.ProposalState.ValueType(answer.state),
            revision=answer.revision,
            digest=answer.digest,
        )
        for answer in answers
    ]
    shorten_items(messages)
    return messages


def _status(answer: ItemAnswer) -> status_pb2.Status:
    if answer.kind is None:
        return status_pb2.Status()
    return to_status(_ERRORS[answer.kind](answer.reason, answer.message))
