"""Batches and proposals as they are sent, for SubmitBatch, RunBatch and AddProposals."""

import asyncio
from collections.abc import Sequence

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.api.mapping.faults import Faults
from orchestrator_svc.api.mapping.structs import struct_text
from orchestrator_svc.application.submit import BatchSpec, TemplateCall
from orchestrator_svc.domain.proposal import Condition, Dependency, ProposalSpec
from orchestrator_svc.domain.states import OnInvalid
from orchestrator_svc.domain.tool import RetryPolicy, Tier

REASON = "BATCH_INVALID"
_SLICE = 128
_DEFAULT_RETRY = RetryPolicy()


async def batch_spec(batch: batch_pb2.BatchSpec) -> BatchSpec:
    """Raises InvalidError (BATCH_INVALID)."""
    faults = Faults(REASON)
    proposals: list[ProposalSpec] | None = None
    template: TemplateCall | None = None
    match batch.WhichOneof("source"):
        case "proposals":
            proposals = await proposal_specs(batch.proposals.items, "batch.proposals.items", faults)
        case "template":
            named = batch.template
            template = TemplateCall(named.name, named.version, parameters=named.parameters_json)
            if not named.name:
                faults.add("batch.template.name", "is required")
        case "template_yaml":
            template = TemplateCall(text=batch.template_yaml, parameters=batch.parameters_json)
            if not batch.template_yaml:
                faults.add("batch.template_yaml", "is empty")
        case None:
            pass
    if batch.parameters_json and not batch.HasField("template_yaml"):
        faults.add("batch.parameters_json", "goes with template_yaml only")
    spec = BatchSpec(
        proposals,
        template,
        batch.session_id,
        batch.name,
        dict(batch.labels),
        batch.open,
        batch.max_in_flight,
        faults.duration(batch.deadline, "batch.deadline") if batch.HasField("deadline") else None,
        on_invalid(batch.on_invalid, "batch.on_invalid", faults),
        faults.duration(batch.idle_timeout, "batch.idle_timeout") if batch.HasField("idle_timeout") else None,
    )
    faults.check()
    return spec


def on_invalid(number: int, place: str, faults: Faults) -> OnInvalid:
    return faults.enum(OnInvalid, number, place) or OnInvalid.REFUSE


async def proposal_specs(
    proposals: Sequence[proposal_pb2.ProposalSpec], place: str, faults: Faults
) -> list[ProposalSpec]:
    """In slices: a large request does not hold up its neighbours."""
    specs: list[ProposalSpec] = []
    for start in range(0, len(proposals), _SLICE):
        if start:
            await asyncio.sleep(0)
        for proposal in proposals[start : start + _SLICE]:
            specs.append(_proposal_spec(proposal, place, len(specs), faults))
    return specs


def _proposal_spec(p: proposal_pb2.ProposalSpec, place: str, index: int, faults: Faults) -> ProposalSpec:
    """Most fields are empty most of the time, and asking for truth is the cheapest way to know."""
    arguments = p.arguments_json
    if not arguments:
        here = f"{place}[{index}].arguments"
        arguments = struct_text(p.arguments, here, faults) if p.HasField("arguments") else "{}"
    return ProposalSpec(
        p.tool,
        p.key,
        p.agent,
        p.version,
        arguments,
        faults.enum(Tier, p.tier, f"{place}[{index}].tier") if p.tier else None,
        _dependencies(p.depends_on, f"{place}[{index}].depends_on", faults) if p.depends_on else (),
        p.title,
        p.rationale,
        dict(p.labels) if p.labels else {},
        p.idempotency_key,
        faults.duration(p.timeout, f"{place}[{index}].timeout") if p.HasField("timeout") else None,
        _retry(p.retry_policy, f"{place}[{index}].retry_policy", faults) if p.HasField("retry_policy") else None,
        faults.duration(p.approval_deadline, f"{place}[{index}].approval_deadline")
        if p.HasField("approval_deadline")
        else None,
    )


def _dependencies(
    dependencies: Sequence[proposal_pb2.Dependency], place: str, faults: Faults
) -> tuple[Dependency, ...]:
    return tuple(
        Dependency(d.key, faults.enum(Condition, d.when, f"{place}[{i}].when") or Condition.SUCCEEDED)
        for i, d in enumerate(dependencies)
    )


def _retry(policy: tool_pb2.RetryPolicy, place: str, faults: Faults) -> RetryPolicy:
    initial, most = _DEFAULT_RETRY.initial_delay, _DEFAULT_RETRY.max_delay
    if policy.HasField("initial_delay"):
        initial = faults.duration(policy.initial_delay, f"{place}.initial_delay")
    if policy.HasField("max_delay"):
        most = faults.duration(policy.max_delay, f"{place}.max_delay")
    return RetryPolicy(policy.max_attempts or _DEFAULT_RETRY.max_attempts, initial, most)
