"""How a call ended, brought to its batch wherever that is: who was told of it may not be the one to record it.

No caller asks for this: it is the word of the call's executor, and travels as a command does.
"""

from dataclasses import dataclass

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.commands.kind import CommandKind, load_nothing, remember
from orchestrator_svc.application.commands.router import CommandRouter
from orchestrator_svc.application.engine.elsewhere import unknown_batch
from orchestrator_svc.application.engine.flights import Sent
from orchestrator_svc.application.engine.inbox import Operation
from orchestrator_svc.application.engine.late import LateEnding, LateEndings
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.settling import Ending, arrive, attempt_at, awaits
from orchestrator_svc.domain.tool import Effect
from orchestrator_svc.ports.store import Store

PRINCIPAL = "service:orchestrator"


@dataclass(frozen=True, slots=True)
class Arriving:
    """`key`: of the proposal in its batch. `executor_id`: whose word it is; `position`: where its journal stood."""

    key: str
    attempt: int
    executor_id: str
    ending: Ending
    position: int


class RecordEnding:
    """`LateEndings.record`."""

    def __init__(self, late: LateEndings, router: CommandRouter, store: Store) -> None:
        self._router, self._store = router, store
        self._kind = router.serve(CommandKind("RecordEnding", Arriving, self._record, load_nothing))
        late.record = self.record

    async def record(self, late: LateEnding) -> None:
        """Also where it is on record already. Raises NotFoundError (BATCH_UNKNOWN), UnavailableError."""
        sent = late.sent
        if late.again and await self._is_on_record(sent):
            return
        arriving = Arriving(sent.key, sent.attempt, sent.target.executor_id, late.ending, late.position)
        await self._router.bring(self._kind, Caller(sent.tenant, PRINCIPAL), sent.batch_id, arriving)

    async def _is_on_record(self, sent: Sent) -> bool:
        """By a look, for it most often is: the batch stays where it is.

        Raises NotFoundError (BATCH_UNKNOWN), also where there is no such attempt of that executor. A READ may have been
        sent before its record, which a stop forgot: nobody will ask how that ended.
        """
        view = await self._store.get_proposal(sent.tenant, sent.batch_id, sent.key)
        if view is None:
            raise unknown_batch(sent.batch_id)
        attempt = attempt_at(view.proposal, sent.attempt, sent.target.executor_id)
        if attempt is not None:
            return not awaits(view.proposal, attempt)
        if view.proposal.effect is not Effect.READ:
            raise unknown_batch(sent.batch_id)
        return True

    async def _record(self, caller: Caller, batch: Batch, of: Arriving, key: RequestKey | None) -> Operation[None]:
        def operation(batch: Batch, changes: Changes) -> None:
            changes.saw_position(of.executor_id, of.position)
            proposal = batch.by_key.get(of.key)
            if proposal is not None:
                arrive(batch, changes, proposal, of.attempt, of.executor_id, of.ending)
            remember(changes, key, {})

        return operation
