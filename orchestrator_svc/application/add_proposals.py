"""Growing an open batch, and closing it."""

from collections.abc import KeysView, Sequence
from dataclasses import dataclass

import orjson

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.judging import Judging, invalid
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.application.structure import check_structure
from orchestrator_svc.domain import adding
from orchestrator_svc.domain.adding import Judged
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.canonical import size_of
from orchestrator_svc.domain.changes import Changes, CommandRecord
from orchestrator_svc.domain.proposal import ProposalSpec
from orchestrator_svc.domain.states import OnInvalid
from shared.kernel.errors import FieldViolation, PreconditionError

FIELD = "proposals"


@dataclass(frozen=True, slots=True)
class Added:
    """Ordinals `first` to `first + count - 1`."""

    first: int
    count: int


class AddProposals:
    """AddProposals and CloseBatch."""

    def __init__(self, engine: Engine, judging: Judging, requests: Requests) -> None:
        self._engine, self._judging, self._requests = engine, judging, requests

    async def add(
        self,
        caller: Caller,
        batch_id: str,
        specs: Sequence[ProposalSpec],
        on_invalid: OnInvalid,
        close: bool,
        key: RequestKey | None,
    ) -> Added:
        """All or none. Raises NotFoundError (BATCH_UNKNOWN), PreconditionError (BATCH_CLOSED), and as a submission."""
        async with (
            self._requests.once(caller.tenant, key) as earlier,
            self._engine.live.pin(caller.tenant, batch_id) as batch,
        ):
            if earlier is not None and batch_id in earlier.answers:
                answer = orjson.loads(earlier.answers[batch_id])
                return Added(answer["first"], answer["count"])
            if not specs and not close:
                raise invalid([FieldViolation(FIELD, "is empty; send at least one")])
            self._engine.check_capacity()
            _check_open(batch)
            existing = dict(batch.by_key)
            judged = await self._judging.judge(specs, on_invalid, existing, FIELD, batch.argument_bytes)

            def operation(batch: Batch, changes: Changes) -> Added:
                _rename(batch, judged, [spec.key for spec in specs], existing.keys())
                self._judging.check_total(len(batch.proposals) + len(judged), FIELD)
                self._judging.check_size(batch.argument_bytes + sum(size_of(one.arguments) for one in judged), FIELD)
                return _add(batch, changes, judged, caller.principal, close, key)

            return await self._engine.execute(batch, operation)

    async def close(self, caller: Caller, batch_id: str, key: RequestKey | None) -> None:
        """Closing a closed one changes nothing. Raises NotFoundError (BATCH_UNKNOWN)."""
        async with (
            self._requests.once(caller.tenant, key) as earlier,
            self._engine.live.pin(caller.tenant, batch_id) as batch,
        ):
            if earlier is None or batch_id not in earlier.answers:
                await self._engine.execute(batch, lambda b, c: _close(b, c, caller.principal, key))


def _add(
    batch: Batch,
    changes: Changes,
    judged: list[Judged],
    principal: str,
    close: bool,
    key: RequestKey | None,
) -> Added:
    _check_open(batch)
    first = len(batch.proposals) + 1
    added = adding.add(batch, changes, judged, principal)
    adding.settle_added(batch, changes, added)
    if close:
        adding.close(batch, changes, principal)
    remember(changes, key, {"first": first, "count": len(added)})
    return Added(first, len(added))


def _rename(batch: Batch, judged: list[Judged], keys: Sequence[str], judged_against: KeysView[str]) -> None:
    """Others may have joined since it was judged: keys that were left to us follow theirs."""
    if batch.by_key.keys() == judged_against:
        return
    for index, item in enumerate(judged):
        item.key = keys[index] or f"p{len(batch.proposals) + index + 1}"
    violations = check_structure(judged, batch.by_key, FIELD)
    if violations:
        raise invalid(violations)


def _close(batch: Batch, changes: Changes, principal: str, key: RequestKey | None) -> None:
    adding.close(batch, changes, principal)
    remember(changes, key, {})


def _check_open(batch: Batch) -> None:
    if not batch.open or batch.cancelling or batch.state.finished:
        raise PreconditionError(
            "BATCH_CLOSED",
            f"the batch {batch.id} takes no more proposals; submit another batch in the session",
            violations=[FieldViolation(batch.id, "must be open")],
            metadata={"state": batch.state.name},
        )


def remember(changes: Changes, key: RequestKey | None, answer: object) -> None:
    """The request's answer is recorded with what it did."""
    if key is not None:
        changes.command = CommandRecord(key.request_id, key.kind, key.payload_hash, orjson.dumps(answer))
