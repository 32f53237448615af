"""The use cases, made of the parts; and what the service says of itself."""

from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from orchestrator_svc.adapters.schemas.limits import PARAMETERS
from orchestrator_svc.adapters.templates.folder import FolderTemplates
from orchestrator_svc.api.use_cases import ServerFacts, UseCases
from orchestrator_svc.application.add_proposals import AddProposals
from orchestrator_svc.application.cancel import Cancel
from orchestrator_svc.application.commands.neighbours import Neighbours
from orchestrator_svc.application.commands.router import CommandRouter
from orchestrator_svc.application.decide import DecideProposals
from orchestrator_svc.application.each_item import EachItem
from orchestrator_svc.application.engine.loop import MAX_PROBLEMS
from orchestrator_svc.application.expand_template import ExpandTemplate
from orchestrator_svc.application.judging import Judging, JudgingSettings
from orchestrator_svc.application.prune import PruneEvents
from orchestrator_svc.application.queries import Queries
from orchestrator_svc.application.record_ending import RecordEnding
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.application.resolve import MAX_RESULT, ResolveProposal
from orchestrator_svc.application.resume_batch import ResumeBatch
from orchestrator_svc.application.retry_proposals import RetryProposals
from orchestrator_svc.application.sessions import SessionContexts, Sessions
from orchestrator_svc.application.soft_confirm import SoftConfirm
from orchestrator_svc.application.submit import SubmitBatch
from orchestrator_svc.application.summaries import Summaries
from orchestrator_svc.application.watch import Watch
from orchestrator_svc.bootstrap.parts import Parts
from orchestrator_svc.domain.references import MAX_BOUND_BYTES
from orchestrator_svc.domain.tool import RetryPolicy
from orchestrator_svc.settings import Settings
from shared.runtime.limits import MAX_REQUEST_BYTES
from shared.runtime.version import service_version

_TOOL_TIMEOUT = 30.0
_PATIENCE_PERIODS = 3


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def make_router(parts: Parts, requests: Requests) -> CommandRouter:
    """Commands go to the others, where there may be others."""
    neighbours = None
    if parts.store.shared:
        patience = _PATIENCE_PERIODS * parts.settings.lease_period
        neighbours = Neighbours(
            parts.store, parts.wakeups, parts.incarnation.id, lambda: parts.owner.has_company, patience
        )
    return CommandRouter(parts.engine, requests, parts.ids, parts.clock, neighbours)


def make_use_cases(parts: Parts, requests: Requests, router: CommandRouter) -> UseCases:
    settings, engine, store = parts.settings, parts.engine, parts.store
    RecordEnding(engine.late, router, store)
    schemas = JsonSchemaRsCompiler(PARAMETERS)
    templates = FolderTemplates(settings.templates, schemas)
    expand = ExpandTemplate(templates, schemas, parts.catalogue, settings.max_batch_arguments_bytes)
    judging = Judging(parts.catalogue, _judging_settings(settings))
    contexts, each_item = SessionContexts(store, shared=store.shared), EachItem(requests, router)
    watch = Watch(store, parts.feed, parts.codec, parts.clock, settings.heartbeat_interval)
    summaries = Summaries(store, engine.live, parts.executors, engine.outlook)
    return UseCases(
        submit=SubmitBatch(engine, judging, expand, contexts, requests, parts.ids, parts.clock, parts.incarnation.id),
        add=AddProposals(engine, router, judging),
        decide=DecideProposals(each_item, judging, settings.self_approval),
        soft_confirm=SoftConfirm(
            router,
            store,
            requests,
            watch,
            parts.clock,
            _ns(settings.soft_window),
            _ns(settings.soft_approval_deadline),
        ),
        cancel=Cancel(router, each_item, _ns(settings.cancel_grace), engine.sender.take_back),
        retry=RetryProposals(router, each_item),
        resume=ResumeBatch(router),
        resolve=ResolveProposal(router),
        prune=PruneEvents(store, parts.clock, settings.events_retention),
        watch=watch,
        queries=Queries(store, summaries, parts.catalogue, parts.executors, templates),
        sessions=Sessions(store, contexts, requests, parts.ids, parts.clock),
        summaries=summaries,
    )


def _judging_settings(settings: Settings) -> JudgingSettings:
    retry = RetryPolicy(settings.retry_attempts, _ns(settings.retry_initial_delay), _ns(settings.retry_max_delay))
    return JudgingSettings(
        max_arguments=settings.max_arguments_bytes,
        max_proposals=settings.max_proposals,
        max_batch_arguments=settings.max_batch_arguments_bytes,
        soft_approval_deadline=_ns(settings.soft_approval_deadline),
        hard_approval_deadline=_ns(settings.hard_approval_deadline),
        idle_timeout=_ns(settings.idle_timeout),
        retry=retry,
    )


def facts(parts: Parts) -> ServerFacts:
    settings = parts.settings
    return ServerFacts(
        version=service_version(),
        incarnation_id=parts.incarnation.id,
        start_time=parts.incarnation.start_time,
        max_request_bytes=MAX_REQUEST_BYTES,
        max_proposals_per_batch=settings.max_proposals,
        max_arguments_bytes=settings.max_arguments_bytes,
        max_bound_arguments_bytes=MAX_BOUND_BYTES,
        max_batch_arguments_bytes=settings.max_batch_arguments_bytes,
        max_result_bytes=2 * MAX_RESULT,
        soft_window=_ns(settings.soft_window),
        soft_approval_deadline=_ns(settings.soft_approval_deadline),
        hard_approval_deadline=_ns(settings.hard_approval_deadline),
        tool_timeout=_ns(_TOOL_TIMEOUT),
        queue_timeout=_ns(settings.queue_timeout),
        heartbeat_interval=_ns(settings.heartbeat_interval),
        idle_timeout=_ns(settings.idle_timeout),
        self_approval=settings.self_approval,
        executors_connected=parts.executors.connected_count,
        live_batches=lambda: len(parts.engine.live),
        problems=lambda: [*parts.engine.problems(), *parts.catalogue.problems()][:MAX_PROBLEMS],
    )
