"""Submitting a batch: expand, judge, put together, record. All of it or nothing."""

import asyncio
from dataclasses import dataclass, field

import orjson

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.expand_template import ExpandTemplate
from orchestrator_svc.application.judging import Judging, check_labels, invalid
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.application.sessions import SessionContexts, check_session_id
from orchestrator_svc.application.structure import SLICE
from orchestrator_svc.domain import adding
from orchestrator_svc.domain.adding import Judged
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes, CommandRecord
from orchestrator_svc.domain.proposal import Proposal, ProposalSpec
from orchestrator_svc.domain.states import OnInvalid
from orchestrator_svc.ports.store import Request
from shared.kernel.clock import Clock
from shared.kernel.errors import FieldViolation, UnavailableError
from shared.kernel.ids import IdSource


@dataclass(frozen=True, slots=True)
class TemplateCall:
    """A template by name (or, with `text`, as YAML), and its parameters as JSON text."""

    name: str = ""
    version: str = ""
    text: str = ""
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class BatchSpec:
    """What is submitted. Exactly one of `proposals` and `template`, unless it is `open`. Times in ns, None: default."""

    proposals: list[ProposalSpec] | None = None
    template: TemplateCall | None = None
    session_id: str = ""
    name: str = ""
    labels: dict[str, str] = field(default_factory=dict[str, str])
    open: bool = False
    max_in_flight: int = 0
    deadline: int | None = None
    on_invalid: OnInvalid = OnInvalid.REFUSE
    idle_timeout: int | None = None


@dataclass(slots=True, eq=False)
class Prepared:
    """A batch that is sound and not recorded yet; `earlier`: the same request made this batch before."""

    batch_id: str
    changes: Changes | None
    key: RequestKey | None
    total: int
    earlier: bool = False


class SubmitBatch:
    """`prepare`, then (a watcher may subscribe in between) `commit`."""

    def __init__(
        self,
        engine: Engine,
        judging: Judging,
        templates: ExpandTemplate,
        contexts: SessionContexts,
        requests: Requests,
        ids: IdSource,
        clock: Clock,
        incarnation: str,
    ) -> None:
        self._engine, self._judging, self._templates, self._contexts = engine, judging, templates, contexts
        self._requests, self._ids, self._clock, self._incarnation = requests, ids, clock, incarnation

    async def prepare(self, caller: Caller, spec: BatchSpec, key: RequestKey | None) -> Prepared:
        """Raises InvalidError (BATCH_INVALID, TEMPLATE_INVALID, REQUEST_ID_REUSED), NotFoundError
        (TEMPLATE_UNKNOWN), UnavailableError, ExhaustedError (OVERLOADED). Writes nothing."""
        async with self._requests.once(caller.tenant, key) as earlier:
            if earlier is not None and earlier.answers:
                return _earlier(earlier, key)
        self._engine.check_capacity()
        received = self._clock.monotonic()
        specs, template = await self._expand(spec)
        _check(spec, specs)
        judged = await self._judging.judge(specs, spec.on_invalid, {}, "batch.proposals.items")
        batch = await self._batch(caller, spec, template)
        changes = batch.begin(self._clock.time_ns(), received)
        await _fill(batch, changes, judged)
        return Prepared(batch.id, changes, key, len(judged))

    async def commit(self, caller: Caller, prepared: Prepared) -> Prepared:
        """Returns when the batch is on disk; what it returns names the batch, also where another call was first."""
        if prepared.changes is None:
            return prepared
        changes, key = prepared.changes, prepared.key
        async with self._requests.once(caller.tenant, key) as earlier:
            if earlier is not None and earlier.answers:
                return _earlier(earlier, key)
            if key is not None:
                answer = orjson.dumps({"total": prepared.total})
                changes.command = CommandRecord(key.request_id, key.kind, key.payload_hash, answer)
            try:
                await self._engine.create(changes)
            except UnavailableError as error:
                if key is None or error.reason != "BATCH_LOST":
                    raise
                earlier = await self._requests.remembered(caller.tenant, key)
                if earlier is None or not earlier.answers:
                    raise
                return _earlier(earlier, key)  # another orchestrator was first with the same request
        return prepared

    async def submit(self, caller: Caller, spec: BatchSpec, key: RequestKey | None) -> Prepared:
        return await self.commit(caller, await self.prepare(caller, spec, key))

    async def _expand(self, spec: BatchSpec) -> tuple[list[ProposalSpec], str]:
        if spec.template is None:
            return spec.proposals or [], ""
        call = spec.template
        if call.text:
            expansion = await asyncio.to_thread(self._templates.from_text, call.text, call.parameters)
        else:
            expansion = await asyncio.to_thread(self._templates.by_name, call.name, call.version, call.parameters)
        return expansion.proposals, f"{expansion.template.name}@{expansion.template.version}"

    async def _batch(self, caller: Caller, spec: BatchSpec, template: str) -> Batch:
        session_id = spec.session_id or self._ids.new()
        context = await self._contexts.get(caller.tenant, session_id) if spec.session_id else "{}"
        batch_id = self._ids.new()
        batch = Batch(
            batch_id,
            caller.tenant,
            session_id,
            caller.principal,
            self._clock.time_ns(),
            self._engine.live.judge,
            name=spec.name or template.partition("@")[0],
            labels=spec.labels,
            template=template,
            trace_id=caller.trace_id or batch_id.replace("-", ""),
            trace_parent=caller.span_id,
            context=context,
            open=spec.open,
            max_in_flight=spec.max_in_flight,
            deadline=spec.deadline,
            idle_timeout=spec.idle_timeout or self._judging.settings.idle_timeout,
            incarnation=self._incarnation,
            max_arguments=self._judging.settings.max_batch_arguments,
        )
        return batch


async def _fill(batch: Batch, changes: Changes, judged: list[Judged]) -> None:
    """In slices: a large batch does not hold up its neighbours."""
    adding.submitted(batch, changes, len(judged))
    added: list[Proposal] = []
    for start in range(0, len(judged), SLICE):
        if start:
            await asyncio.sleep(0)
        added += adding.add(batch, changes, judged[start : start + SLICE], batch.principal)
    adding.settle_added(batch, changes, added)


def _check(spec: BatchSpec, specs: list[ProposalSpec]) -> None:
    found: list[FieldViolation] = []
    if not specs and not spec.open:
        found.append(FieldViolation("batch.proposals", "is empty; send at least one, or set open"))
    if spec.session_id:
        found += check_session_id(spec.session_id, "batch.session_id")
    if len(spec.name) > 256:
        found.append(FieldViolation("batch.name", "has more than 256 characters"))
    if spec.max_in_flight < 0:
        found.append(FieldViolation("batch.max_in_flight", "must not be negative; 0 is no limit"))
    for name in ("deadline", "idle_timeout"):
        value = getattr(spec, name)
        if value is not None and value <= 0:
            found.append(FieldViolation(f"batch.{name}", "must be more than 0; leave it out for the default"))
    found += check_labels(spec.labels, "batch.labels")
    if found:
        raise invalid(found)


def _earlier(request: Request, key: RequestKey | None) -> Prepared:
    batch_id, answer = next(iter(request.answers.items()))
    return Prepared(batch_id, None, key, orjson.loads(answer)["total"], earlier=True)
