"""What makes a message too large is left out of it: what first, what last, and what is said."""

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.adapters.observer.null import NullObserver
from orchestrator_svc.api import frames
from orchestrator_svc.api.mapping.catalogue import executor_message
from orchestrator_svc.api.mapping.cutting import cut_proposal
from orchestrator_svc.api.mapping.summaries import summary_message
from orchestrator_svc.application.memory_views import batch_view, proposal_views
from orchestrator_svc.application.summaries import Answered, Summary
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.executor import ExecutorView
from tests.support.clock import ManualClock
from tests.support.flow import Flow

BUDGET = 3 << 20
WORDS = "\N{DOUGHNUT}" * 16_384


def test_of_a_long_history_the_latest_stays():
    failure = tool_pb2.Failure(reason="BROKEN", message=WORDS)
    proposal = proposal_pb2.Proposal(
        attempts=[proposal_pb2.Attempt(number=number, failure=failure) for number in range(1, 101)],
        decisions=[proposal_pb2.DecisionRecord(message=WORDS[:4096], digest=str(number)) for number in range(300)],
        bound_arguments_json="b" * (1 << 20),
        failure=failure,
    )
    assert proposal.ByteSize() > 10 << 20
    cut = cut_proposal(proposal)
    assert cut.ByteSize() <= BUDGET
    assert [attempt.number for attempt in cut.attempts] == [98, 99, 100]
    assert cut.decisions[-1].digest == "299"
    assert (list(cut.omitted), len(cut.bound_arguments_json)) == (["attempts", "decisions"], 1 << 20)


def test_the_result_goes_last():
    proposal = proposal_pb2.Proposal(
        result_json="r" * (2 << 20),
        bound_arguments_json="b" * (1 << 20),
        proposed_arguments_json="p" * (256 << 10),
        original_arguments_json="o" * (256 << 10),
        depends_on=[proposal_pb2.Dependency(key="k" * 128) for _ in range(9_999)],
        missing_inputs=["k" * 128] * 9_999,
        waiting=proposal_pb2.Waiting(reason=proposal_pb2.WAITING_REASON_DEPENDENCIES, keys=["k" * 128] * 9_999),
        title="t",
    )
    copy = proposal_pb2.Proposal.FromString(proposal.SerializeToString())
    cut = cut_proposal(proposal)
    assert cut.ByteSize() <= BUDGET
    assert list(cut.omitted) == [
        *("original_arguments_json", "missing_inputs", "waiting", "depends_on"),
        *("proposed_arguments_json", "bound_arguments_json"),
    ]
    assert (cut.result_json, cut.title, cut.waiting.reason) == (copy.result_json, "t", copy.waiting.reason)
    cut = cut_proposal(copy, 1 << 20)
    assert cut.omitted[-1] == "result_json"
    assert cut.ByteSize() <= 1 << 20


def test_what_fits_stays_as_it_is():
    proposal = proposal_pb2.Proposal(result_json="r" * (2 << 20), bound_arguments_json="b" * 1_000_000)
    copy = proposal_pb2.Proposal.FromString(proposal.SerializeToString())
    assert cut_proposal(proposal) == copy


async def test_a_session_token_stands_beside_the_summary():
    """It grows with the session's unfinished batches."""
    flow = Flow(NullObserver(), ManualClock())
    flow.submit(*((f"k{number}", Tier.AUTO) for number in range(4_000)))
    for proposal in flow.batch.proposals:
        proposal.state, proposal.result = State.SUCCEEDED, "x" * 1_000
    answers = [Answered(view, None) for view in proposal_views(flow.batch)]
    token = "t" * 50_000
    summary = Summary([batch_view(flow.batch)], answers, waited=False)
    message = await summary_message(summary, several=True, beside=len(token))
    assert BUDGET - 60_000 < len(frames.last_frame(message, token=token)) <= BUDGET


def test_an_executor_of_very_many_tools():
    tools = [f"{number:05}{'n' * 123}@{'1' * 128}" for number in range(20_000)]
    view = ExecutorView("e", "b", "a", "1", True, False, tools, tools, 0, 1, 0, 0)
    message = executor_message(view)
    assert message.ByteSize() <= BUDGET
    assert message.tools[0] == tools[0]
    assert len(message.tools) + len(message.conflicting_tools) + message.omitted_tools == 40_000
