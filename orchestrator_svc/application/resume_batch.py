"""ResumeBatch: all that can be tried again in a batch, and of the rest, why not."""

from dataclasses import dataclass
from typing import Any

import orjson

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.cancel import MAX_ITEMS, check_reason
from orchestrator_svc.application.commands.kind import CommandKind, remember
from orchestrator_svc.application.commands.router import CommandRouter
from orchestrator_svc.application.engine.inbox import Operation
from orchestrator_svc.application.items import ItemAnswer, done, dump, fault, undump
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.resuming import resume


@dataclass(frozen=True, slots=True)
class Resumed:
    """How many go on, and how many do not. `answers`: of the first 1,000 of both, in order."""

    resumed: int
    not_resumed: int
    answers: list[ItemAnswer]


@dataclass(frozen=True, slots=True)
class Resuming:
    reason: str


class ResumeBatch:
    def __init__(self, router: CommandRouter) -> None:
        self._router = router
        self._kind = router.serve(CommandKind("ResumeBatch", Resuming, self._resume, _load))

    async def resume(self, caller: Caller, batch_id: str, reason: str, key: RequestKey | None) -> Resumed:
        """Raises NotFoundError (BATCH_UNKNOWN), PreconditionError (BATCH_CANCELLING), InvalidError."""
        check_reason(reason)
        return await self._router.run(self._kind, caller, batch_id, Resuming(reason), key)

    async def _resume(self, caller: Caller, batch: Batch, of: Resuming, key: RequestKey | None) -> Operation[Resumed]:
        def operation(batch: Batch, changes: Changes) -> Resumed:
            found = resume(batch, changes, caller.principal, of.reason)
            resumed = sum(error is None for _, error in found)
            answers = [
                fault(batch.proposal_id(proposal), error, proposal) if error is not None else done(batch, proposal)
                for proposal, error in found[:MAX_ITEMS]
            ]
            answer = Resumed(resumed, len(found) - resumed, answers)
            remember(changes, key, _dump(answer))
            return answer

        return operation


def _dump(answer: Resumed) -> dict[str, Any]:
    items = dump(enumerate(answer.answers))
    return {"resumed": answer.resumed, "not_resumed": answer.not_resumed, "answers": items}


def _load(recorded: bytes) -> Resumed:
    dumped = orjson.loads(recorded)
    return Resumed(dumped["resumed"], dumped["not_resumed"], list(undump(dumped["answers"]).values()))
