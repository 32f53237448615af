"""The legal moves of a proposal, as data. docs/state-machine.md shows the same table, and a test compares the two."""

from orchestrator_svc.domain.proposal import ProposalState as State

MOVES: dict[State, dict[State, str]] = {
    State.PROPOSED: {
        State.APPROVED: "decided, or confirmed by the user's next turn",
        State.REJECTED: "decided, or objected to",
        State.EXPIRED: "nobody decided in time",
        State.SKIPPED: "a dependency did not succeed",
        State.CANCELLED: "on request, or the batch's deadline",
        State.FAILED: "a reference into nothing, or bound arguments that do not validate",
    },
    State.APPROVED: {
        State.RUNNING: "an attempt is sent",
        State.FAILED: "queue timeout, a reference into nothing, or bound arguments that do not validate",
        State.SKIPPED: "a dependency did not succeed",
        State.CANCELLED: "on request, or the batch's deadline",
        State.PROPOSED: "what was approved is not what would run",
    },
    State.RUNNING: {
        State.SUCCEEDED: "the tool returned",
        State.FAILED: "the attempt failed, and there is no other",
        State.CANCELLED: "stopped on request",
        State.OUTCOME_UNKNOWN: "the attempt may have had its effect",
        State.APPROVED: "the attempt failed, and there is another",
    },
    State.OUTCOME_UNKNOWN: {
        State.SUCCEEDED: "resolved, a late outcome, or its effect was found",
        State.FAILED: "resolved, a late outcome, or its effect is not there",
        State.APPROVED: "resolved: run again; or a late word, or a look, that it had no effect",
    },
    State.FAILED: {
        State.SUCCEEDED: "resolved; effect DONE only",
        State.APPROVED: "retried with its approval standing, or resolved: run again",
        State.PROPOSED: "retried without an approval that stands",
    },
    State.CANCELLED: {
        State.APPROVED: "retried with its approval standing",
        State.PROPOSED: "retried without an approval that stands",
    },
    State.EXPIRED: {
        State.PROPOSED: "retried without an approval that stands",
    },
    State.SKIPPED: {
        State.PROPOSED: "its dependency is retried or resolved",
        State.APPROVED: "its dependency is retried or resolved",
    },
    State.SUCCEEDED: {},
    State.REJECTED: {},
}


class IllegalMoveError(Exception):
    """A move that the table does not have: our own fault, never the caller's."""

    def __init__(self, key: str, from_state: State, to_state: State) -> None:
        super().__init__(f"{key}: {from_state.name} -> {to_state.name}")


_LEGAL = frozenset((a, b) for a, moves in MOVES.items() for b in moves)


def check_move(key: str, from_state: State, to_state: State) -> None:
    """Raises IllegalMoveError unless the table has the move."""
    if (from_state, to_state) not in _LEGAL:
        raise IllegalMoveError(key, from_state, to_state)
