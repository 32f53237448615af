"""Growing an open batch, and closing it."""

from collections.abc import KeysView, Sequence
from dataclasses import dataclass

import orjson

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.commands.kind import CommandKind, load_nothing, remember
from orchestrator_svc.application.commands.router import CommandRouter
from orchestrator_svc.application.engine.inbox import Operation
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.judging import Judging, invalid
from orchestrator_svc.application.structure import check_structure
from orchestrator_svc.domain import adding
from orchestrator_svc.domain.adding import Judged
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.canonical import size_of
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import ProposalSpec
from orchestrator_svc.domain.states import OnInvalid
from shared.kernel.errors import FieldViolation, PreconditionError

FIELD = "proposals"


@dataclass(frozen=True, slots=True)
class Added:
    """Ordinals `first` to `first + count - 1`."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Adding:
    specs: list[ProposalSpec]
    on_invalid: OnInvalid
    close: bool


@dataclass(frozen=True, slots=True)
class Closing:
    """Nothing more is said."""


class AddProposals:
    """AddProposals and CloseBatch."""

    def __init__(self, engine: Engine, router: CommandRouter, judging: Judging) -> None:
        self._engine, self._router, self._judging = engine, router, judging
        self._adding = router.serve(CommandKind("AddProposals", Adding, self._join, _load))
        self._closing = router.serve(CommandKind("CloseBatch", Closing, self._close, load_nothing))

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
        return await self._router.run(self._adding, caller, batch_id, Adding(list(specs), on_invalid, close), key)

    async def close(self, caller: Caller, batch_id: str, key: RequestKey | None) -> None:
        """Closing a closed one changes nothing. Raises NotFoundError (BATCH_UNKNOWN)."""
        await self._router.run(self._closing, caller, batch_id, Closing(), key)

    async def _join(self, caller: Caller, batch: Batch, of: Adding, key: RequestKey | None) -> Operation[Added]:
        if not of.specs and not of.close:
            raise invalid([FieldViolation(FIELD, "is empty; send at least one")])
        self._engine.check_capacity()
        await self._engine.inbox.empty()  # it may depend on what was added just before
        _check_open(batch)
        existing = dict(batch.by_key)
        judged = await self._judging.judge(of.specs, of.on_invalid, existing, FIELD, batch.argument_bytes)

        def operation(batch: Batch, changes: Changes) -> Added:
            _rename(batch, judged, [spec.key for spec in of.specs], existing.keys())
            self._judging.check_total(len(batch.proposals) + len(judged), FIELD)
            self._judging.check_size(batch.argument_bytes + sum(size_of(one.arguments) for one in judged), FIELD)
            return _add(batch, changes, judged, caller.principal, of.close, key)

        return operation

    async def _close(self, caller: Caller, batch: Batch, of: Closing, key: RequestKey | None) -> Operation[None]:
        def operation(batch: Batch, changes: Changes) -> None:
            adding.close(batch, changes, caller.principal)
            remember(changes, key, {})

        return operation


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


def _check_open(batch: Batch) -> None:
    if not batch.open or batch.cancelling or batch.state.finished:
        raise PreconditionError(
            "BATCH_CLOSED",
            f"the batch {batch.id} takes no more proposals; submit another batch in the session",
            violations=[FieldViolation(batch.id, "must be open")],
            metadata={"state": batch.state.name},
        )


def _load(recorded: bytes) -> Added:
    answer = orjson.loads(recorded)
    return Added(answer["first"], answer["count"])
