"""ResolveProposal: a person says what became of an unknown outcome."""

from dataclasses import dataclass

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.cancel import MAX_REASON
from orchestrator_svc.application.commands.kind import CommandKind, load_nothing, remember
from orchestrator_svc.application.commands.router import CommandRouter
from orchestrator_svc.application.engine.inbox import Operation
from orchestrator_svc.application.items import split_id, unknown_proposal
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.canonical import JsonError, parse
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.retrying import check_resolve, resolve
from orchestrator_svc.domain.states import Resolution
from shared.kernel.errors import FieldViolation, InvalidError, NotFoundError

MAX_RESULT = 1 << 20


@dataclass(frozen=True, slots=True)
class Resolving:
    """`key`: of the proposal in its batch. `result`: JSON text, "" where there is none."""

    key: str
    resolution: Resolution
    result: str
    reason: str
    revision: int | None


class ResolveProposal:
    def __init__(self, router: CommandRouter) -> None:
        self._router = router
        self._kind = router.serve(CommandKind("ResolveProposal", Resolving, self._resolve, load_nothing))

    async def resolve(
        self,
        caller: Caller,
        proposal_id: str,
        resolution: Resolution | None,
        result: str,
        reason: str,
        revision: int | None,
        key: RequestKey | None,
    ) -> None:
        """Raises NotFoundError (PROPOSAL_UNKNOWN), PreconditionError (NOT_RESOLVABLE), ConflictError
        (REVISION_MISMATCH), InvalidError (RESOLUTION_INVALID, REQUEST_ID_REUSED)."""
        kind = _check(resolution, result, reason)
        batch_id, proposal_key = split_id(proposal_id)
        found = (result or "null") if kind is Resolution.SUCCEEDED else ""
        resolving = Resolving(proposal_key, kind, found, reason, revision)
        try:
            await self._router.run(self._kind, caller, batch_id, resolving, key)
        except NotFoundError:
            raise unknown_proposal(proposal_id) from None

    async def _resolve(self, caller: Caller, batch: Batch, of: Resolving, key: RequestKey | None) -> Operation[None]:
        def operation(batch: Batch, changes: Changes) -> None:
            proposal = batch.by_key.get(of.key)
            if proposal is None:
                raise unknown_proposal(f"{batch.id}/{of.key}")
            error = check_resolve(batch, proposal, of.revision)
            if error is not None:
                raise error
            resolve(batch, changes, proposal, of.resolution, caller.principal, of.reason, of.result)
            remember(changes, key, {})

        return operation


def _check(resolution: Resolution | None, result: str, reason: str) -> Resolution:
    found: list[FieldViolation] = []
    if resolution is None:
        found.append(FieldViolation("resolution", "must be SUCCEEDED, FAILED or RUN_AGAIN"))
    if not 1 <= len(reason) <= MAX_REASON:
        found.append(FieldViolation("reason", f"is required: who looked where; at most {MAX_REASON:,} characters"))
    if result:
        if resolution is not Resolution.SUCCEEDED:
            found.append(FieldViolation("result_json", "goes with SUCCEEDED only"))
        if len(result.encode("utf-8", "replace")) > MAX_RESULT:
            found.append(FieldViolation("result_json", f"has more than {MAX_RESULT:,} bytes"))
        else:
            try:
                parse(result)
            except JsonError as error:
                found.append(FieldViolation("result_json", str(error)))
    if found or resolution is None:
        problem = f"{found[0].field}: {found[0].description}"
        raise InvalidError("RESOLUTION_INVALID", problem, violations=found)
    return resolution
