"""Tools as they are described on the wire."""

from google.protobuf.duration_pb2 import Duration

from executor_svc.domain.tool import Effect, Tier, ToolSpec
from greenlight.tool.v1 import tool_pb2

_EFFECTS = {
    Effect.READ: tool_pb2.EFFECT_READ,
    Effect.IDEMPOTENT: tool_pb2.EFFECT_IDEMPOTENT,
    Effect.NON_IDEMPOTENT: tool_pb2.EFFECT_NON_IDEMPOTENT,
}
_TIERS = {Tier.AUTO: tool_pb2.TIER_AUTO, Tier.SOFT: tool_pb2.TIER_SOFT, Tier.HARD: tool_pb2.TIER_HARD}


def descriptor_of(spec: ToolSpec) -> tool_pb2.ToolDescriptor:
    return tool_pb2.ToolDescriptor(
        name=spec.name,
        version=spec.version,
        description=spec.description,
        arguments_schema_json=spec.arguments_schema,
        result_schema_json=spec.result_schema or "",
        effect=_EFFECTS[spec.effect],
        tier=_TIERS[spec.tier],
        timeout=_duration(spec.timeout),
        stall_timeout=_duration(spec.stall_timeout),
        ttl=_duration(spec.ttl),
        concurrency=spec.concurrency or 0,
        result_limit_bytes=spec.result_limit,
        cost=tool_pb2.Cost(amount=spec.cost.amount, unit=spec.cost.unit) if spec.cost else None,
        retry_policy=tool_pb2.RetryPolicy(
            max_attempts=spec.retry.max_attempts,
            initial_delay=_duration(spec.retry.initial_delay),
            max_delay=_duration(spec.retry.max_delay),
        )
        if spec.retry
        else None,
        probes=spec.probes,
    )


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
