"""DecideProposals: approve, reject, approve with edited arguments; over any batches, or atomic within one."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.each_item import EachItem
from orchestrator_svc.application.items import ItemAnswer, by_batch, done, fault, split_id
from orchestrator_svc.application.judging import Judging
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.deciding import Decision, Edit, check, make
from orchestrator_svc.domain.digest import call_digest
from orchestrator_svc.domain.proposal import Verdict
from shared.kernel.errors import ConflictError, FieldViolation, GreenlightError, InvalidError

MAX_DECISIONS = 1000
MAX_MESSAGE = 4096


@dataclass(frozen=True, slots=True)
class DecisionSpec:
    """One decision as it is sent. `edited`: JSON text, None: as proposed."""

    proposal_id: str
    verdict: Verdict | None
    message: str = ""
    digest: str = ""
    revision: int | None = None
    edited: str | None = None
    accept_unbound: bool = False


@dataclass(frozen=True, slots=True)
class Decisions:
    """Those of one batch, by position in the request."""

    items: dict[int, DecisionSpec]
    atomic: bool

    def ids(self) -> dict[int, str]:
        return {position: spec.proposal_id for position, spec in self.items.items()}


class DecideProposals:
    """`self_approval`: whether a proposer may approve its own HARD proposals."""

    def __init__(self, each_item: EachItem, judging: Judging, self_approval: bool) -> None:
        self._each_item, self._judging, self._self_approval = each_item, judging, self_approval
        self._kind = each_item.serve("DecideProposals", Decisions, self._for_items)

    async def decide(
        self, caller: Caller, specs: Sequence[DecisionSpec], atomic: bool, key: RequestKey | None
    ) -> list[ItemAnswer]:
        """Raises InvalidError (DECISIONS_INVALID, ATOMIC_SPANS_BATCHES, REQUEST_ID_REUSED)."""
        _check(specs, atomic)
        ids = [spec.proposal_id for spec in specs]
        return await self._each_item.run(
            self._kind, caller, ids, lambda positions: Decisions({p: specs[p] for p in positions}, atomic), key
        )

    def _for_items(
        self, caller: Caller, batch: Batch, changes: Changes, of: Decisions, known: Sequence[int]
    ) -> list[ItemAnswer]:
        specs = [of.items[p] for p in known]
        if of.atomic and len(specs) < len(of.items):
            return [self._not_applied(batch, spec) for spec in specs]
        return self._decide(batch, changes, specs, caller.principal, of.atomic)

    def _decide(
        self, batch: Batch, changes: Changes, specs: Sequence[DecisionSpec], principal: str, atomic: bool
    ) -> list[ItemAnswer]:
        if not atomic:
            return [self._one(batch, changes, spec, principal) for spec in specs]
        ready = [self._ready(batch, spec, principal) for spec in specs]
        if any(isinstance(item, GreenlightError) for item in ready):
            return [
                fault(spec.proposal_id, item, batch.by_key[split_id(spec.proposal_id)[1]])
                if isinstance(item, GreenlightError)
                else self._not_applied(batch, spec)
                for spec, item in zip(specs, ready, strict=True)
            ]
        return [self._one(batch, changes, spec, principal) for spec in specs]

    def _one(self, batch: Batch, changes: Changes, spec: DecisionSpec, principal: str) -> ItemAnswer:
        proposal = batch.by_key[split_id(spec.proposal_id)[1]]
        decision = self._ready(batch, spec, principal)
        if isinstance(decision, GreenlightError):
            return fault(spec.proposal_id, decision, proposal)
        make(batch, changes, decision, principal)
        return done(batch, proposal)

    def _ready(self, batch: Batch, spec: DecisionSpec, principal: str) -> Decision | GreenlightError:
        """The decision, or what stands against it."""
        key = split_id(spec.proposal_id)[1]
        assert spec.verdict is not None
        edit: Edit | None = None
        if spec.edited is not None:
            tool = batch.by_key[key].tool
            try:
                arguments = self._judging.arguments(spec.edited, tool)
            except InvalidError as error:
                return error
            edit = Edit(arguments, call_digest(tool, arguments))
        decision = Decision(key, spec.verdict, spec.message, spec.digest, spec.revision, edit, spec.accept_unbound)
        return check(batch, decision, principal, self._self_approval) or decision

    def _not_applied(self, batch: Batch, spec: DecisionSpec) -> ItemAnswer:
        error = ConflictError("NOT_APPLIED", "another item of the atomic request failed; nothing was decided")
        return fault(spec.proposal_id, error, batch.by_key[split_id(spec.proposal_id)[1]])


def _check(specs: Sequence[DecisionSpec], atomic: bool) -> None:
    found: list[FieldViolation] = []
    if not 1 <= len(specs) <= MAX_DECISIONS:
        found.append(FieldViolation("decisions", f"must be 1 to {MAX_DECISIONS:,}; there are {len(specs):,}"))
    seen: set[str] = set()
    for index, spec in enumerate(specs[:MAX_DECISIONS]):
        place = f"decisions[{index}]"
        if spec.verdict is None:
            found.append(FieldViolation(f"{place}.verdict", "must be VERDICT_APPROVE or VERDICT_REJECT"))
        if spec.edited is not None and spec.verdict is not Verdict.APPROVE:
            found.append(FieldViolation(f"{place}.edited_arguments_json", "goes with VERDICT_APPROVE only"))
        if len(spec.message) > MAX_MESSAGE:
            found.append(FieldViolation(f"{place}.message", f"has more than {MAX_MESSAGE:,} characters"))
        if spec.proposal_id in seen:
            found.append(FieldViolation(f"{place}.proposal_id", "is decided twice in one request"))
        seen.add(spec.proposal_id)
    if found:
        raise InvalidError("DECISIONS_INVALID", f"{found[0].field}: {found[0].description}", violations=found[:20])
    if atomic and len(by_batch(spec.proposal_id for spec in specs)) > 1:
        problem = "the decisions span several batches; send one request a batch"
        raise InvalidError("ATOMIC_SPANS_BATCHES", problem, violations=[FieldViolation("atomic", problem)])
