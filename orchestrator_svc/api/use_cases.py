"""What the API is made of: the use cases that it calls, and the facts of this server that it tells."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator_svc.application.add_proposals import AddProposals
from orchestrator_svc.application.cancel import Cancel
from orchestrator_svc.application.decide import DecideProposals
from orchestrator_svc.application.prune import PruneEvents
from orchestrator_svc.application.queries import Queries
from orchestrator_svc.application.resolve import ResolveProposal
from orchestrator_svc.application.resume_batch import ResumeBatch
from orchestrator_svc.application.retry_proposals import RetryProposals
from orchestrator_svc.application.sessions import Sessions
from orchestrator_svc.application.soft_confirm import SoftConfirm
from orchestrator_svc.application.submit import SubmitBatch
from orchestrator_svc.application.summaries import Summaries
from orchestrator_svc.application.watch import Watch


@dataclass(frozen=True, slots=True)
class UseCases:
    submit: SubmitBatch
    add: AddProposals
    decide: DecideProposals
    soft_confirm: SoftConfirm
    cancel: Cancel
    retry: RetryProposals
    resume: ResumeBatch
    resolve: ResolveProposal
    prune: PruneEvents
    watch: Watch
    queries: Queries
    sessions: Sessions
    summaries: Summaries


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """Sizes in bytes, durations in ns, `start_time` in ns since 1970. The two callables are asked at each request."""

    version: str
    incarnation_id: str
    start_time: int
    max_request_bytes: int
    max_proposals_per_batch: int
    max_arguments_bytes: int
    max_bound_arguments_bytes: int
    max_batch_arguments_bytes: int
    max_result_bytes: int
    soft_window: int
    soft_approval_deadline: int
    hard_approval_deadline: int
    tool_timeout: int
    queue_timeout: int
    heartbeat_interval: int
    idle_timeout: int
    self_approval: bool
    executors_connected: Callable[[], int]
    live_batches: Callable[[], int]
    problems: Callable[[], list[str]]
