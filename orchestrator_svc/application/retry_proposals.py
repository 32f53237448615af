"""RetryProposals: single ones, or all of a batch (or of some of its agents) that can be."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.cancel import check_items, check_reason, request_invalid
from orchestrator_svc.application.commands.kind import CommandKind, remember
from orchestrator_svc.application.commands.router import CommandRouter
from orchestrator_svc.application.each_item import EachItem, Items, answering
from orchestrator_svc.application.engine.inbox import Operation
from orchestrator_svc.application.items import ItemAnswer, done, dump, fault, load, split_id
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.retrying import check_retry, retry


@dataclass(frozen=True, slots=True)
class Retrying:
    """Those of one batch: position in the request -> proposal id; None: all that can be, of these agents if any."""

    items: dict[int, str] | None
    agents: tuple[str, ...]
    reason: str

    def ids(self) -> dict[int, str]:
        return self.items or {}


class RetryProposals:
    def __init__(self, router: CommandRouter, each_item: EachItem) -> None:
        self._router, self._each_item = router, each_item
        self._kind = router.serve(CommandKind("RetryProposals", Retrying, self._retry, load))

    async def retry(
        self,
        caller: Caller,
        proposal_ids: Sequence[str],
        batch_id: str,
        agents: Sequence[str],
        reason: str,
        key: RequestKey | None,
    ) -> list[ItemAnswer]:
        """Either ids or a batch. Raises InvalidError (REQUEST_INVALID), NotFoundError (BATCH_UNKNOWN)."""
        check_reason(reason)
        if bool(proposal_ids) == bool(batch_id):
            raise request_invalid("proposal_ids", "give either proposal_ids or batch_id")
        if batch_id:
            whole = Retrying(None, tuple(agents), reason)
            return list((await self._router.run(self._kind, caller, batch_id, whole, key)).values())
        if agents:
            raise request_invalid("agents", "goes with batch_id only")
        check_items(proposal_ids)
        return await self._each_item.run(
            self._kind,
            caller,
            proposal_ids,
            lambda positions: Retrying({p: proposal_ids[p] for p in positions}, (), reason),
            key,
        )

    async def _retry(self, caller: Caller, batch: Batch, of: Retrying, key: RequestKey | None) -> Operation[Items]:
        if of.items is not None:
            items = of.items

            def for_batch(batch: Batch, changes: Changes, known: Sequence[int]) -> list[ItemAnswer]:
                return [_one(batch, changes, items[p], caller.principal, of.reason) for p in known]

            return answering(items, for_batch, key)
        wanted = set(of.agents)

        def operation(batch: Batch, changes: Changes) -> Items:
            chosen = [
                batch.proposal_id(p)
                for p in batch.proposals
                if (not wanted or p.agent in wanted) and check_retry(batch, p) is None
            ]
            answers = [_one(batch, changes, proposal_id, caller.principal, of.reason) for proposal_id in chosen]
            remember(changes, key, dump(enumerate(answers)))
            return dict(enumerate(answers))

        return operation


def _one(batch: Batch, changes: Changes, proposal_id: str, principal: str, reason: str) -> ItemAnswer:
    proposal = batch.by_key[split_id(proposal_id)[1]]
    error = check_retry(batch, proposal)
    if error is not None:
        return fault(proposal_id, error, proposal)
    retry(batch, changes, proposal, principal, reason)
    return done(batch, proposal)
