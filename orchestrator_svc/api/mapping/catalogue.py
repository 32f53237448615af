"""Tools, executors and templates as messages."""

from collections.abc import Sequence
from itertools import accumulate

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import template_pb2
from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.api.mapping.cutting import wire_size
from orchestrator_svc.api.mapping.values import duration, timestamp
from orchestrator_svc.application.catalogue import Entry
from orchestrator_svc.domain.template.model import Template
from orchestrator_svc.domain.tool import ToolDescriptor
from orchestrator_svc.ports.executor import ExecutorView

_NAMES_BYTES = 512 << 10


def tool_message(entry: Entry, executors: int) -> pb.Tool:
    return pb.Tool(
        descriptor=_descriptor(entry.descriptor), executors=executors, first_seen_time=timestamp(entry.first_seen)
    )


def executor_message(view: ExecutorView) -> pb.Executor:
    tools, conflicting = _names(view.tools), _names(view.conflicting_tools)
    return pb.Executor(
        executor_id=view.executor_id,
        boot_id=view.boot_id,
        address=view.address,
        connected=view.connected,
        draining=view.draining,
        tools=tools,
        conflicting_tools=conflicting,
        omitted_tools=len(view.tools) - len(tools) + len(view.conflicting_tools) - len(conflicting),
        in_flight=view.in_flight,
        capacity=view.capacity,
        stuck_threads=view.stuck_threads,
        last_seen_time=timestamp(view.last_seen),
        version=view.version,
    )


def _names(names: Sequence[str]) -> Sequence[str]:
    """The first ones, where they are very many."""
    taken = accumulate(wire_size(len(name)) for name in names)
    return [name for name, size in zip(names, taken, strict=True) if size <= _NAMES_BYTES]


def template_message(template: Template, *, with_yaml: bool) -> template_pb2.Template:
    return template_pb2.Template(
        name=template.name,
        version=template.version,
        description=template.description,
        parameters_schema_json=template.parameters_schema_json,
        agents=template.agents,
        tools=template.tools,
        proposals=len(template.proposals),
        yaml=template.source if with_yaml else "",
    )


def _descriptor(tool: ToolDescriptor) -> tool_pb2.ToolDescriptor:
    has_cost = tool.cost_amount or tool.cost_unit
    retry = tool.retry
    return tool_pb2.ToolDescriptor(
        name=tool.key.name,
        version=tool.key.version,
        description=tool.description,
        arguments_schema_json=tool.arguments_schema_json,
        result_schema_json=tool.result_schema_json,
        effect=tool_pb2.Effect.ValueType(tool.effect),
        tier=tool_pb2.Tier.ValueType(tool.tier),
        timeout=duration(tool.timeout),
        stall_timeout=duration(tool.stall_timeout),
        ttl=duration(tool.ttl),
        concurrency=tool.concurrency,
        result_limit_bytes=tool.result_limit,
        cost=tool_pb2.Cost(amount=tool.cost_amount, unit=tool.cost_unit) if has_cost else None,
        retry_policy=None
        if retry is None
        else tool_pb2.RetryPolicy(
            max_attempts=retry.max_attempts,
            initial_delay=duration(retry.initial_delay),
            max_delay=duration(retry.max_delay),
        ),
        probes=tool.probes,
    )
