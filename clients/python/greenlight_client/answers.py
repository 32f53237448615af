"""What to do with answers: the value, or an error; a text for the model; the answer that a proposal stands for."""

import json
from typing import Any

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.wire import failure_class_name, proposal_state_name, waiting_text


class CallError(Exception):
    """A call gave no result: it failed, was rejected, skipped, cancelled, or still waits. `answer` has all of it."""

    def __init__(self, answer: proposal_pb2.Answer) -> None:
        super().__init__(answer_text(answer))
        self.answer = answer


def value(answer: proposal_pb2.Answer) -> Any:
    """The call's result as Python values. Raises CallError where there is none."""
    if answer.state != proposal_pb2.PROPOSAL_STATE_SUCCEEDED:
        raise CallError(answer)
    return json.loads(answer.result_json)


def answer_text(answer: proposal_pb2.Answer) -> str:
    """What to tell the model: the result as JSON text, exact, or one line that says why there is none."""
    if answer.state == proposal_pb2.PROPOSAL_STATE_SUCCEEDED:
        return answer.result_json
    state = proposal_state_name(answer.state).replace("_", " ")
    return f"{answer.tool}: {state}{_because(answer)}"


def _because(answer: proposal_pb2.Answer) -> str:
    if answer.HasField("failure"):
        failure = answer.failure
        kind = failure.reason or failure_class_name(failure.failure_class).upper()
        return f" ({kind}): {failure.message}" if failure.message else f" ({kind})"
    if answer.message:
        return f": {answer.message}"
    if answer.skipped_because:
        return f": {answer.skipped_because} gave no result"
    if answer.HasField("waiting"):
        return f": waiting for {waiting_text(answer.waiting)}"
    return ""


def answer_of(proposal: proposal_pb2.Proposal) -> proposal_pb2.Answer:
    """The answer that a proposal, as read from the record, stands for."""
    rejections = [item.message for item in proposal.decisions if item.verdict == proposal_pb2.VERDICT_REJECT]
    rejected = proposal.state == proposal_pb2.PROPOSAL_STATE_REJECTED
    return proposal_pb2.Answer(
        key=proposal.key,
        agent=proposal.agent,
        tool=proposal.tool,
        state=proposal.state,
        result_json=proposal.result_json,
        failure=proposal.failure if proposal.HasField("failure") else None,
        message=rejections[-1] if rejected and rejections else "",
        skipped_because=proposal.skipped_because,
        missing_inputs=proposal.missing_inputs,
        waiting=proposal.waiting if proposal.HasField("waiting") else None,
        attempts=len(proposal.attempts),
        batch_id=proposal.batch_id,
    )
