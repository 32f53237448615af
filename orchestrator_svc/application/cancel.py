"""CancelBatch and CancelProposals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.commands.kind import CommandKind, load_nothing, remember
from orchestrator_svc.application.commands.router import CommandRouter
from orchestrator_svc.application.each_item import EachItem
from orchestrator_svc.application.engine.inbox import Operation
from orchestrator_svc.application.items import ItemAnswer, done, fault, split_id
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.cancelling import cancel_batch, cancel_proposal
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from shared.kernel.errors import FieldViolation, InvalidError, PreconditionError

MAX_ITEMS = 1000
MAX_REASON = 4096


@dataclass(frozen=True, slots=True)
class Cancelling:
    reason: str


@dataclass(frozen=True, slots=True)
class CancellingItems:
    """Position in the request -> proposal id."""

    items: dict[int, str]
    reason: str

    def ids(self) -> dict[int, str]:
        return self.items


class Cancel:
    """`grace`: how long a running call has to stop, in ns. `take_back` ends what is to stop and was not sent yet."""

    def __init__(
        self, router: CommandRouter, each_item: EachItem, grace: int, take_back: Callable[[Changes], None]
    ) -> None:
        self._router, self._each_item, self._grace, self._take_back = router, each_item, grace, take_back
        self._of_batch = router.serve(CommandKind("CancelBatch", Cancelling, self._cancel, load_nothing))
        self._of_items = each_item.serve("CancelProposals", CancellingItems, self._for_items)

    async def batch(self, caller: Caller, batch_id: str, reason: str, key: RequestKey | None) -> None:
        """Raises NotFoundError (BATCH_UNKNOWN). A finished batch stays as it is."""
        check_reason(reason)
        await self._router.run(self._of_batch, caller, batch_id, Cancelling(reason), key)

    async def proposals(
        self, caller: Caller, proposal_ids: Sequence[str], reason: str, key: RequestKey | None
    ) -> list[ItemAnswer]:
        check_items(proposal_ids)
        check_reason(reason)
        return await self._each_item.run(
            self._of_items,
            caller,
            proposal_ids,
            lambda positions: CancellingItems({p: proposal_ids[p] for p in positions}, reason),
            key,
        )

    async def _cancel(self, caller: Caller, batch: Batch, of: Cancelling, key: RequestKey | None) -> Operation[None]:
        def operation(batch: Batch, changes: Changes) -> None:
            cancel_batch(batch, changes, caller.principal, of.reason, self._grace)
            remember(changes, key, {})

        return operation

    def _for_items(
        self, caller: Caller, batch: Batch, changes: Changes, of: CancellingItems, known: Sequence[int]
    ) -> list[ItemAnswer]:
        found = [self._one(batch, changes, of.items[p], caller.principal, of.reason) for p in known]
        self._take_back(changes)  # before the answers: they are recorded with it
        return [done(batch, one) if isinstance(one, Proposal) else one for one in found]

    def _one(
        self, batch: Batch, changes: Changes, proposal_id: str, principal: str, reason: str
    ) -> Proposal | ItemAnswer:
        """Cancels it, or says why not."""
        proposal = batch.by_key[split_id(proposal_id)[1]]
        if proposal.state not in (State.PROPOSED, State.APPROVED, State.RUNNING):
            error = PreconditionError("PROPOSAL_ENDED", f"{proposal_id} is {proposal.state.name}; nothing to cancel")
            return fault(proposal_id, error, proposal)
        cancel_proposal(batch, changes, proposal, principal, reason, self._grace)
        return proposal


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
