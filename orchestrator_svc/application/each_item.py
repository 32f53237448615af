"""Runs a request of many items, a command a batch; each batch's answers are recorded with what the command did."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.commands.kind import CommandKind, remember
from orchestrator_svc.application.commands.router import CommandRouter
from orchestrator_svc.application.engine.inbox import Operation
from orchestrator_svc.application.items import ItemAnswer, by_batch, dump, load, split_id, unknown
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from shared.kernel.errors import NotFoundError


class OfItems(Protocol):
    """Arguments of a command about items of one batch."""

    def ids(self) -> Mapping[int, str]:
        """Position in the request -> proposal id."""
        ...


A = TypeVar("A", bound=OfItems)

Items = dict[int, ItemAnswer]
ItemsKind = CommandKind[A, Items]
ForBatch = Callable[[Batch, Changes, Sequence[int]], list[ItemAnswer]]
ForItems = Callable[[Caller, Batch, Changes, A, Sequence[int]], list[ItemAnswer]]


class EachItem:
    def __init__(self, requests: Requests, router: CommandRouter) -> None:
        self._requests, self._router = requests, router

    def serve(self, name: str, arguments: type[A], for_items: ForItems[A]) -> ItemsKind[A]:
        """`for_items` gets the positions of the items whose keys exist in the batch."""

        async def handle(caller: Caller, batch: Batch, of: A, key: RequestKey | None) -> Operation[Items]:
            def for_batch(batch: Batch, changes: Changes, known: Sequence[int]) -> list[ItemAnswer]:
                return for_items(caller, batch, changes, of, known)

            return answering(of.ids(), for_batch, key)

        return self._router.serve(CommandKind(name, arguments, handle, load))

    async def run(
        self,
        kind: ItemsKind[A],
        caller: Caller,
        proposal_ids: Sequence[str],
        arguments: Callable[[Sequence[int]], A],
        key: RequestKey | None,
    ) -> list[ItemAnswer]:
        """Answers in request order. `arguments`: of a batch's command, by the positions of its items.

        Raises InvalidError (REQUEST_ID_REUSED), UnavailableError.
        """
        answers: Items = {}
        async with self._requests.once(caller.tenant, key) as earlier:
            groups = by_batch(proposal_ids)
            if earlier is None and len(groups) > 1:
                earlier = await self._requests.claim(caller.tenant, key, b"")
            for batch_id, positions in groups.items():
                try:
                    answers |= await self._router.carry_out(kind, caller, batch_id, arguments(positions), key, earlier)
                except NotFoundError:
                    answers |= {position: unknown(proposal_ids[position]) for position in positions}
        return [answers[position] for position in range(len(proposal_ids))]


def answering(ids: Mapping[int, str], for_batch: ForBatch, key: RequestKey | None) -> Operation[Items]:
    """Answers the items of its batch, and records the answers."""

    def operation(batch: Batch, changes: Changes) -> Items:
        known = [p for p in ids if split_id(ids[p])[1] in batch.by_key]
        found = dict(zip(known, for_batch(batch, changes, known), strict=True)) if known else {}
        found |= {p: unknown(ids[p]) for p in ids if p not in found}
        remember(changes, key, dump(found.items()))
        return found

    return operation
