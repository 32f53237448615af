"""A batch as a message, with what is computed from its counts: what it is blocked on, and its agents' status."""

from collections.abc import Sequence
from itertools import accumulate

from greenlight.orchestrator.v1 import batch_pb2 as pb
from orchestrator_svc.api.mapping.cutting import wire_size
from orchestrator_svc.api.mapping.values import timestamp
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.deriving import derive_state
from orchestrator_svc.domain.proposal import UNFINISHED
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.views import AgentTally, BatchView

_AGENTS_BYTES = 512 << 10
_MANY_AGENTS = 500
"""Fewer always fit."""
_HAS_RUN = (State.RUNNING, State.SUCCEEDED, State.FAILED, State.OUTCOME_UNKNOWN)


def batch_message(view: BatchView) -> pb.Batch:
    blocked_on, agents = None, _agents(view.agents)
    if view.state is BatchState.BLOCKED:
        resolutions = view.counts[State.OUTCOME_UNKNOWN] - view.given_up
        blocked_on = pb.BlockedOn(decisions=view.asked, resolutions=resolutions)
    return pb.Batch(
        batch_id=view.id,
        session_id=view.session_id,
        session_no=view.session_no,
        name=view.name,
        state=pb.BatchState.ValueType(view.state),
        blocked_on=blocked_on,
        counts=_counts(view.counts),
        agents=agents,
        omitted_agents=len(view.agents) - len(agents),
        labels=view.labels,
        trace_id=view.trace_id,
        sequence=view.head,
        open=view.open,
        max_in_flight=view.max_in_flight,
        template=view.template,
        principal=view.principal,
        create_time=timestamp(view.create_time or None),
        finish_time=timestamp(view.finish_time),
        missing=view.missing if view.state is BatchState.PARTIAL else (),
        deadline_time=timestamp(view.deadline_time),
    )


def draft_message(batch: Batch, session_id: str) -> pb.Batch:
    """Of a batch that was judged and not recorded: no ids, no times; the state in which it would begin."""
    tallies: dict[str, list[int]] = {}
    for proposal in batch.proposals:
        tallies.setdefault(proposal.agent, [0] * len(batch.counts))[proposal.state] += 1
    view = BatchView(
        id="",
        tenant=batch.tenant,
        number=0,
        session_id=session_id,
        session_no=0,
        name=batch.name,
        labels=batch.labels,
        template=batch.template,
        principal=batch.principal,
        trace_id="",
        state=derive_state(batch),
        head=0,
        counts=tuple(batch.counts),
        asked=batch.asked,
        given_up=batch.given_up,
        open=batch.open,
        max_in_flight=batch.max_in_flight,
        create_time=0,
        finish_time=None,
        deadline_time=None,
        agents=[AgentTally(name, tuple(counts)) for name, counts in tallies.items()],
        missing=[],
    )
    return batch_message(view)


def _counts(counts: tuple[int, ...]) -> pb.Counts:
    return pb.Counts(
        total=sum(counts),
        proposed=counts[State.PROPOSED],
        approved=counts[State.APPROVED],
        running=counts[State.RUNNING],
        succeeded=counts[State.SUCCEEDED],
        failed=counts[State.FAILED],
        rejected=counts[State.REJECTED],
        expired=counts[State.EXPIRED],
        skipped=counts[State.SKIPPED],
        cancelled=counts[State.CANCELLED],
        outcome_unknown=counts[State.OUTCOME_UNKNOWN],
    )


def _agents(tallies: Sequence[AgentTally]) -> list[pb.Agent]:
    """The first ones, where there are very many: a batch is part of other messages."""
    agents = [_agent(tally) for tally in tallies]
    if len(agents) > _MANY_AGENTS:
        taken = accumulate(wire_size(agent.ByteSize()) for agent in agents)
        return [agent for agent, size in zip(agents, taken, strict=True) if size <= _AGENTS_BYTES]
    return agents


def _agent(tally: AgentTally) -> pb.Agent:
    counts = tally.counts
    total = sum(counts)
    done = total - sum(counts[state] for state in UNFINISHED)
    if done == total:
        status = pb.AGENT_STATUS_COMPLETE if counts[State.SUCCEEDED] == total else pb.AGENT_STATUS_ERROR
    elif any(counts[state] for state in _HAS_RUN):
        status = pb.AGENT_STATUS_RUNNING
    else:
        status = pb.AGENT_STATUS_IDLE
    return pb.Agent(name=tally.name, status=status, done=done, total=total)
