"""CancelBatch and CancelProposals."""

from collections.abc import Sequence

from orchestrator_svc.application.add_proposals import remember
from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.each_item import EachItem
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.items import ItemAnswer, done, fault, split_id
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.cancelling import cancel_batch, cancel_proposal
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import ProposalState as State
from shared.kernel.errors import FieldViolation, InvalidError, PreconditionError

MAX_ITEMS = 1000
MAX_REASON = 4096


class Cancel:
    """`grace`: how long a running call has to stop, in ns."""

    def __init__(self, engine: Engine, requests: Requests, each_item: EachItem, grace: int) -> None:
        self._engine, self._requests, self._each_item, self._grace = engine, requests, each_item, grace

    async def batch(self, caller: Caller, batch_id: str, reason: str, key: RequestKey | None) -> None:
        """Raises NotFoundError (BATCH_UNKNOWN). A finished batch stays as it is."""
        check_reason(reason)

        def operation(batch: Batch, changes: Changes) -> None:
            cancel_batch(batch, changes, caller.principal, reason, self._grace)
            remember(changes, key, {})

        async with (
            self._requests.once(caller.tenant, key) as earlier,
            self._engine.live.pin(caller.tenant, batch_id) as batch,
        ):
            if earlier is None or batch_id not in earlier.answers:
                await self._engine.execute(batch, operation)

    async def proposals(
        self, caller: Caller, proposal_ids: Sequence[str], reason: str, key: RequestKey | None
    ) -> list[ItemAnswer]:
        check_items(proposal_ids)
        check_reason(reason)

        def for_batch(batch: Batch, changes: Changes, positions: Sequence[int]) -> list[ItemAnswer]:
            return [self._one(batch, changes, proposal_ids[p], caller.principal, reason) for p in positions]

        return await self._each_item.run(caller, proposal_ids, for_batch, key)

    def _one(self, batch: Batch, changes: Changes, proposal_id: str, principal: str, reason: str) -> ItemAnswer:
        proposal = batch.by_key[split_id(proposal_id)[1]]
        if proposal.state not in (State.PROPOSED, State.APPROVED, State.RUNNING):
            error = PreconditionError("PROPOSAL_ENDED", f"{proposal_id} is {proposal.state.name}; nothing to cancel")
            return fault(proposal_id, error, proposal)
        cancel_proposal(batch, changes, proposal, principal, reason, self._grace)
        return done(batch, proposal)


def check_items(proposal_ids: Sequence[str]) -> None:
    if not 1 <= len(proposal_ids) <= MAX_ITEMS:
        problem = f"must be 1 to {MAX_ITEMS:,}; there are {len(proposal_ids):,}"
        raise request_invalid("proposal_ids", problem)
    if len(set(proposal_ids)) != len(proposal_ids):
        raise request_invalid("proposal_ids", "names a proposal twice")


def check_reason(reason: str) -> None:
    if len(reason) > MAX_REASON:
        raise request_invalid("reason", f"has more than {MAX_REASON:,} characters")


def request_invalid(field: str, problem: str) -> InvalidError:
    return InvalidError("REQUEST_INVALID", f"{field}: {problem}", violations=[FieldViolation(field, problem)])
