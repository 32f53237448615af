"""What this server says of itself."""

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.api.mapping.values import duration, timestamp
from orchestrator_svc.api.use_cases import ServerFacts
from shared.runtime.limits import MAX_SENT_BYTES


def server_info(facts: ServerFacts) -> pb.GetServerInfoResponse:
    return pb.GetServerInfoResponse(
        version=facts.version,
        incarnation_id=facts.incarnation_id,
        start_time=timestamp(facts.start_time),
        limits=pb.Limits(
            max_request_bytes=facts.max_request_bytes,
            max_response_bytes=MAX_SENT_BYTES,
            max_proposals_per_batch=facts.max_proposals_per_batch,
            max_arguments_bytes=facts.max_arguments_bytes,
            max_bound_arguments_bytes=facts.max_bound_arguments_bytes,
            max_batch_arguments_bytes=facts.max_batch_arguments_bytes,
            max_result_bytes=facts.max_result_bytes,
        ),
        defaults=pb.Defaults(
            soft_window=duration(facts.soft_window),
            soft_approval_deadline=duration(facts.soft_approval_deadline),
            hard_approval_deadline=duration(facts.hard_approval_deadline),
            tool_timeout=duration(facts.tool_timeout),
            queue_timeout=duration(facts.queue_timeout),
            heartbeat_interval=duration(facts.heartbeat_interval),
            idle_timeout=duration(facts.idle_timeout),
        ),
        executors_connected=facts.executors_connected(),
        live_batches=facts.live_batches(),
        self_approval=facts.self_approval,
        problems=facts.problems(),
    )
