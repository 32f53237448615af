"""Where calls under way are expected to end."""

from orchestrator_svc.application.engine.flights import Flight, Flights
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.tool import Effect
from orchestrator_svc.ports.executor import Target
from tests.support.batches import Builder, judged

FIRST, SECOND, THIRD, FOURTH = (Target("executor", f"boot-{number}") for number in range(4))


def flight(builder: Builder) -> Flight:
    (proposal,) = builder.batch.proposals
    return Flight(f"{builder.batch.id}/a/1", builder.batch, proposal, 1, FIRST, 0.0)


def test_one_that_is_expected_anew_is_expected_once() -> None:
    """Its batch left the memory and came back, while a later start was asked about it."""
    builder, flights = Builder(), Flights()
    builder.submit([judged("a", effect=Effect.NON_IDEMPOTENT)])
    builder.dispatch("a")
    builder.batch.proposals[0].state = ProposalState.OUTCOME_UNKNOWN
    flights.found(FIRST, 0)
    flights.add(flight(builder))
    flights.lose(FIRST, 1)
    flights.found(SECOND, 2)
    assert flights.move_to(SECOND, 2)
    flights.lose(SECOND, 3)
    flights.add(flight(builder))
    flights.lose(FIRST, 4)
    flights.found(THIRD, 5)
    (moved,) = flights.move_to(THIRD, 5)
    assert flights.pop(moved.call_id) is moved
    flights.lose(THIRD, 6)
    flights.found(FOURTH, 7)
    assert flights.move_to(FOURTH, 7) == []
    assert flights.overdue(100) == []
    assert len(flights) == 0
