"""The judge of `make chaos`: what its ledger contradicts, results that no tool returned, and what a run fails by."""

from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from tests.chaos.__main__ import MUST_BE_ZERO, wrong
from tests.chaos.answers import contradicted, doubled, mismatched
from tests.chaos.ledger import Ledger
from tests.chaos.verdict import Figures

SUCCEEDED, FAILED = proposal_pb2.PROPOSAL_STATE_SUCCEEDED, proposal_pb2.PROPOSAL_STATE_FAILED
SEND, WRITE = tool_pb2.EFFECT_NON_IDEMPOTENT, tool_pb2.EFFECT_IDEMPOTENT
EFFECT, AGAIN = "effect b/k 1 key 7\n", "effect b/k 2 key 8\n"


def ledger(tmp_path: Path, lines: str) -> Ledger:
    path = tmp_path / "ledger"
    path.write_text(lines)
    return Ledger(path)


def proposal(
    state: proposal_pb2.ProposalState.ValueType = SUCCEEDED,
    effect: tool_pb2.Effect.ValueType = SEND,
    key: str = "k",
    arguments: str = '{"ms":5}',
    proposed: str = "{}",
    result: str = '{"n":5,"of":"b/k"}',
    failure: tool_pb2.Failure | None = None,
) -> proposal_pb2.Proposal:
    return proposal_pb2.Proposal(
        proposal_id=f"b/{key}",
        key=key,
        state=state,
        effect=effect,
        proposed_arguments_json=proposed,
        bound_arguments_json=arguments,
        result_json=result,
        attempts=[proposal_pb2.Attempt(number=1, failure=failure), proposal_pb2.Attempt(number=2)],
    )


def by_hand(resolution: event_pb2.Resolution.ValueType) -> event_pb2.Event:
    return event_pb2.Event(key="k", proposal_resolved=event_pb2.ProposalResolved(resolution=resolution))


RUN_AGAIN, SAID = by_hand(event_pb2.RESOLUTION_RUN_AGAIN), by_hand(event_pb2.RESOLUTION_SUCCEEDED)


@pytest.mark.parametrize(
    ("lines", "events", "count"),
    [
        (EFFECT, [], 0),
        (EFFECT + AGAIN, [], 1),
        (EFFECT + AGAIN, [RUN_AGAIN], 0),
        (EFFECT + AGAIN, [SAID], 1),
        ("began b/k 1 key 7\nbegan b/k 2 key 8\n", [], 0),
        ("began b/k 1 key 7\nbegan b/k 1 key 8\n", [], 1),
        ("began b/k 1 key 7\nbegan b/k 2 other 8\n", [], 1),
    ],
)
def test_one_effect_one_start_a_call_and_one_key(
    tmp_path: Path, lines: str, events: list[event_pb2.Event], count: int
) -> None:
    assert len(list(doubled([proposal()], events, ledger(tmp_path, lines)))) == count


def test_what_may_be_repeated_may_have_several_effects_under_one_key(tmp_path: Path) -> None:
    assert not list(doubled([proposal(effect=WRITE)], [], ledger(tmp_path, EFFECT + AGAIN)))
    assert list(doubled([proposal(effect=WRITE)], [], ledger(tmp_path, EFFECT + "effect b/k 2 other 8\n")))


NONE = tool_pb2.Failure(known_effect=tool_pb2.KNOWN_EFFECT_NONE)
POSSIBLE = tool_pb2.Failure(known_effect=tool_pb2.KNOWN_EFFECT_POSSIBLE)


@pytest.mark.parametrize(
    ("answer", "lines", "events", "count"),
    [
        (proposal(), EFFECT, [], 0),
        (proposal(), "", [], 1),
        (proposal(effect=WRITE), "", [], 1),
        (proposal(FAILED), "", [], 0),
        (proposal(FAILED), EFFECT, [], 1),
        (proposal(FAILED, WRITE), EFFECT, [], 0),
        (proposal(FAILED), EFFECT, [SAID], 0),
        (proposal(failure=NONE), AGAIN, [], 0),
        (proposal(failure=NONE), EFFECT, [], 1),
        (proposal(failure=POSSIBLE), EFFECT, [], 0),
    ],
)
def test_what_the_ledger_contradicts(
    tmp_path: Path, answer: proposal_pb2.Proposal, lines: str, events: list[event_pb2.Event], count: int
) -> None:
    assert len(list(contradicted([answer], events, ledger(tmp_path, lines)))) == count


REFERENCE = '{"x":{"$from":"p","path":"/n","default":0}}'
SOURCE = proposal(key="p", result='{"n":5,"of":"b/p"}')


@pytest.mark.parametrize(
    ("answers", "events", "count"),
    [
        ([proposal()], [], 0),
        ([proposal(result='{"n":6,"of":"b/k"}')], [], 1),
        ([proposal(result='{"n":5,"of":"b/other"}')], [], 1),
        ([proposal(FAILED, result="")], [], 0),
        ([proposal(result='{"n":0}')], [], 1),
        ([proposal(result='{"n":0}')], [SAID], 0),
        ([SOURCE, proposal(proposed=REFERENCE, arguments='{"ms":5,"x":5}')], [], 0),
        ([SOURCE, proposal(proposed=REFERENCE, arguments='{"ms":5,"x":4}')], [], 1),
        ([proposal(FAILED, key="p"), proposal(proposed=REFERENCE, arguments='{"ms":5,"x":0}')], [], 0),
    ],
)
def test_results_are_what_the_tool_returned_and_references_are_the_results_that_they_name(
    answers: list[proposal_pb2.Proposal], events: list[event_pb2.Event], count: int
) -> None:
    assert len(list(mismatched(answers, events))) == count


@pytest.mark.parametrize("name", MUST_BE_ZERO)
def test_a_run_fails_by_each_figure(name: str) -> None:
    figures = Figures(batches=10, kills=1, reattached=1)
    assert not wrong(figures)
    setattr(figures, name, 1)
    assert wrong(figures)


@pytest.mark.parametrize(
    "figures",
    [
        Figures(batches=10, kills=1, reattached=0),
        Figures(batches=11, kills=1, reattached=1),
        Figures(batches=10, kills=1, reattached=1, about=["executor-1 ended by itself"]),
    ],
)
def test_and_where_it_tried_too_little_or_a_process_ended_by_itself(figures: Figures) -> None:
    assert wrong(figures)
