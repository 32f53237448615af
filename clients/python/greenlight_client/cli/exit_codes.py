"""The command's exit codes, all of them; docs/cli.md has the same table."""

from enum import IntEnum

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight_client.errors import (
    DeadlineError,
    DeniedError,
    GreenlightError,
    ServerError,
    UnavailableError,
)
from greenlight_client.wire import ENDED_PROPOSAL_STATES


class ExitCode(IntEnum):
    """What a command came to."""

    SUCCEEDED = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    AWAITING_DECISION = 4
    REJECTED = 5
    CANCELLED = 6
    PERMISSION_DENIED = 7
    UNREACHABLE = 8
    REFUSED = 9
    INTERNAL = 10
    UNFINISHED = 11
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.SUCCEEDED: "every proposal succeeded, or the command did what it was asked",
    ExitCode.FAILED: "no proposal succeeded, and one failed or expired",
    ExitCode.USAGE: (
        "the command line, a file, an address, an id or a template's parameters are wrong; nothing was changed"
    ),
    ExitCode.PARTIAL: "one proposal succeeded, not all; or an outcome is unknown",
    ExitCode.AWAITING_DECISION: "nothing moves without a person: decisions or resolutions are waited for",
    ExitCode.REJECTED: "no proposal succeeded, and one was rejected",
    ExitCode.CANCELLED: "cancelled",
    ExitCode.PERMISSION_DENIED: "this principal may not",
    ExitCode.UNREACHABLE: "no orchestrator answers at that address, or not in time",
    ExitCode.REFUSED: (
        "the orchestrator refused: unknown id, wrong state (ended already), moved since it was shown, invalid batch"
    ),
    ExitCode.INTERNAL: "a service failed, or answered what makes no sense",
    ExitCode.UNFINISHED: "the time given by --wait was over first; the batch goes on",
    ExitCode.INTERRUPTED: "Ctrl-C, or nobody reads the output any more: detached; the batch goes on",
}

_BY_STATE = {
    batch_pb2.BATCH_STATE_SUCCEEDED: ExitCode.SUCCEEDED,
    batch_pb2.BATCH_STATE_PARTIAL: ExitCode.PARTIAL,
    batch_pb2.BATCH_STATE_FAILED: ExitCode.FAILED,
    batch_pb2.BATCH_STATE_REJECTED: ExitCode.REJECTED,
    batch_pb2.BATCH_STATE_CANCELLED: ExitCode.CANCELLED,
    batch_pb2.BATCH_STATE_BLOCKED: ExitCode.AWAITING_DECISION,
}


def of_summary(summary: batch_pb2.Summary) -> ExitCode:
    """What a stream's last message means: the batch's state, or, over several batches, what the answers add up to."""
    if summary.HasField("batch"):
        code = _BY_STATE.get(summary.batch.state)
        if code is not None:
            return code
        if summary.batch.state == batch_pb2.BATCH_STATE_IDLE:
            return of_answers([answer.state for answer in summary.answers])
        return ExitCode.UNFINISHED
    return of_answers([answer.state for answer in summary.answers])


def of_answers(states: list[proposal_pb2.ProposalState.ValueType]) -> ExitCode:
    """As the state of a batch of proposals in these states."""
    if proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN in states or proposal_pb2.PROPOSAL_STATE_PROPOSED in states:
        return ExitCode.AWAITING_DECISION
    if any(state not in ENDED_PROPOSAL_STATES for state in states):
        return ExitCode.UNFINISHED
    succeeded = states.count(proposal_pb2.PROPOSAL_STATE_SUCCEEDED)
    if succeeded == len(states):
        return ExitCode.SUCCEEDED
    if succeeded:
        return ExitCode.PARTIAL
    if proposal_pb2.PROPOSAL_STATE_FAILED in states or proposal_pb2.PROPOSAL_STATE_EXPIRED in states:
        return ExitCode.FAILED
    return ExitCode.REJECTED if proposal_pb2.PROPOSAL_STATE_REJECTED in states else ExitCode.CANCELLED


def of_error(error: GreenlightError) -> ExitCode:
    """What a request that was not answered means."""
    if isinstance(error, DeniedError):
        return ExitCode.PERMISSION_DENIED
    if isinstance(error, UnavailableError | DeadlineError):
        return ExitCode.UNREACHABLE
    return ExitCode.INTERNAL if isinstance(error, ServerError) else ExitCode.REFUSED
