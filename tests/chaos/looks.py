"""What a tool's probe said of unknown outcomes, against the tools' own ledger.

That an attempt which was not found, and so failed or was made again, never has its effect, is judged with the answers.
"""

from collections.abc import Iterator, Sequence

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from tests.chaos.ledger import Ledger

WITH_PROBE = "transfer"
"""The tool of the toolbox that has one."""


def wrong_looks(events: Sequence[event_pb2.Event], ledger: Ledger) -> Iterator[str]:
    """Of one batch. A look begins after the outcome has become unknown: what was there by then has to be found."""
    unknown_since: dict[str, int] = {}
    for event in events:
        proposal_id = f"{event.batch_id}/{event.key}"
        call_id, time = f"{proposal_id}/{event.attempt}", event.time.ToNanoseconds()
        if event.WhichOneof("detail") == "outcome_unknown":
            unknown_since.setdefault(call_id, time)
        elif event.WhichOneof("detail") == "outcome_probed":
            first, finding = ledger.first_effect.get(proposal_id), event.outcome_probed.finding
            before = unknown_since.get(call_id, time)
            if finding == proposal_pb2.PROBE_FINDING_FOUND and (first is None or first > time):
                yield f"{call_id} is said to be found, and had no effect before"
            if finding == proposal_pb2.PROBE_FINDING_NOT_FOUND and first is not None and first < before:
                yield f"{call_id} is said not to be found, and had had its effect"
