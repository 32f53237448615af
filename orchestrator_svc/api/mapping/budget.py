"""Messages that stay below what every stock client takes: results are left out first, then whole answers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from orchestrator_svc.api.mapping.cutting import ROOM, cut_proposal, wire_size
from orchestrator_svc.api.mapping.proposals import bare_answer, proposal_message
from orchestrator_svc.application.summaries import Answered

_SLICE = 128
_OMITTED_FLAG = 2


@dataclass(slots=True)
class Answers:
    """What fits beside `taken` bytes, in input order; `omitted`: answers left out whole."""

    taken: int
    messages: list[proposal_pb2.Answer] = field(default_factory=list[proposal_pb2.Answer])
    omitted: int = 0


async def fit_answers(answered: Sequence[Answered], taken: int, *, with_batch_id: bool = False) -> Answers:
    """First every answer without its result, then, in order, each result that still fits. Works in slices."""
    fitted = Answers(taken)
    for start in range(0, len(answered), _SLICE):
        if start:
            await asyncio.sleep(0)
        for item in answered[start : start + _SLICE]:
            message = bare_answer(item, item.view.batch_id if with_batch_id else "")
            size = wire_size(message.ByteSize()) + _OMITTED_FLAG
            if fitted.taken + size > ROOM:
                fitted.omitted = len(answered) - len(fitted.messages)
                break
            fitted.taken += size
            fitted.messages.append(message)
        if fitted.omitted:
            break
    for index, (message, item) in enumerate(zip(fitted.messages, answered, strict=False)):
        if index and index % _SLICE == 0:
            await asyncio.sleep(0)
        result = item.view.proposal.result
        if result is None:
            message.omitted = item.view.result_omitted
            continue
        size = wire_size(len(result) if result.isascii() else len(result.encode()))
        if fitted.taken + size > ROOM:
            message.omitted = True
        else:
            message.result_json = result
            fitted.taken += size
    return fitted


async def fit_proposals(answered: Sequence[Answered], taken: int) -> list[proposal_pb2.Proposal]:
    """From the first on, as many as fit, and one at least. Works in slices."""
    messages: list[proposal_pb2.Proposal] = []
    for index, item in enumerate(answered):
        if index and index % _SLICE == 0:
            await asyncio.sleep(0)
        message = proposal_message(item)
        if not messages:
            cut_proposal(message, ROOM - wire_size(taken))
        taken += wire_size(message.ByteSize())
        if messages and taken > ROOM:
            break
        messages.append(message)
    return messages


def fit_batches(batches: Sequence[batch_pb2.Batch]) -> list[batch_pb2.Batch]:
    """The last ones, as many as fit into half of a message."""
    taken, kept = 0, list[batch_pb2.Batch]()
    for batch in reversed(batches):
        taken += wire_size(batch.ByteSize())
        if kept and taken > ROOM // 2:
            break
        kept.append(batch)
    return kept[::-1]
