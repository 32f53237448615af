"""The judge of `make chaos`: whatever is wrong with a run is counted, under its name, and makes the run red."""

from collections.abc import Callable
from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from tests.chaos.__main__ import MUST_BE_ZERO, wrong
from tests.chaos.verdict import Figures
from tests.unit.chaos.made_up import FAILED, REJECTED, RUNNING, UNKNOWN, MadeUpRun, event, line

Spoil = Callable[[MadeUpRun], None]


@pytest.fixture
def run(tmp_path: Path) -> MadeUpRun:
    return MadeUpRun(tmp_path)


def without(run: MadeUpRun, what: str, key: str) -> list[event_pb2.Event]:
    """Its events but one."""
    return [each for each in run.events if each.key != key or each.WhichOneof("detail") != what]


async def test_nothing_is_wrong_with_the_sound_one(run: MadeUpRun) -> None:
    figures = await run.judged()
    assert figures.about == []
    assert (figures.batches, figures.effects, figures.reattached) == (1, 4, 2)
    assert not wrong(figures)


def no_batch(run: MadeUpRun) -> None:
    run.batches.clear()


def no_proposal(run: MadeUpRun) -> None:
    run.story.total = 5


def no_decision(run: MadeUpRun) -> None:
    run.proposals["note"].ClearField("decisions")


def another_decision(run: MadeUpRun) -> None:
    run.crowd.decided["b/note"] = proposal_pb2.VERDICT_REJECT


def no_edit(run: MadeUpRun) -> None:
    run.proposals["pay"].decisions[0].edited = False


def another_result(run: MadeUpRun) -> None:
    run.proposals["pay"].result_json = '{"n": 41, "of": "b/pay"}'


def result_of_another(run: MadeUpRun) -> None:
    run.proposals["pay"].result_json = '{"n": 40, "of": "b/note"}'


def another_reference(run: MadeUpRun) -> None:
    run.proposals["send"].bound_arguments_json = '{"ms": 20, "x": 11}'


def reference_into_nothing(run: MadeUpRun) -> None:
    """Not the default."""
    run.proposals["read"].state = FAILED


def two_effects(run: MadeUpRun) -> None:
    run.lines.append(line("effect", "b/send", 2))


def began_twice(run: MadeUpRun) -> None:
    run.lines.append(line("began", "b/send"))


def several_keys(run: MadeUpRun) -> None:
    run.lines.append(line("began", "b/note", 2, key="another"))


def batch_of_nobody(run: MadeUpRun) -> None:
    run.batches.append("c")


def gap_in_the_log(run: MadeUpRun) -> None:
    run.events = without(run, "attempt_progressed", "send")


def watcher_missed_one(run: MadeUpRun) -> None:
    run.told = without(run, "attempt_progressed", "send")


def watcher_saw_another(run: MadeUpRun) -> None:
    run.told = [event_pb2.Event.FromString(each.SerializeToString()) for each in run.events]
    run.told[3].attempt_progressed.message = "all"


def watcher_without_the_end(run: MadeUpRun) -> None:
    run.told = run.events[:-1]


def more_behind_the_end(run: MadeUpRun) -> None:
    run.told = list(run.events)
    run.record(event("attempt_started", "send"))


def illegal_move(run: MadeUpRun) -> None:
    run.events[1].state = REJECTED


def success_without_effect(run: MadeUpRun) -> None:
    run.lines.remove(line("effect", "b/note"))


def effect_behind_a_failure(run: MadeUpRun) -> None:
    run.proposals["pay"].state = FAILED


def effect_of_what_is_said_to_have_had_none(run: MadeUpRun) -> None:
    run.proposals["pay"].attempts[0].failure.known_effect = tool_pb2.KNOWN_EFFECT_NONE


def unknown_without_excuse(run: MadeUpRun) -> None:
    """Its journal never saw it."""
    failure = tool_pb2.Failure(reason="EXECUTOR_ENDED")
    run.record(event("outcome_unknown", "pay", UNKNOWN, failure=failure), last=False)
    run.events[-3].state = RUNNING


@pytest.mark.parametrize(
    ("figure", "spoil"),
    [
        ("lost", no_batch),
        ("lost", no_proposal),
        ("lost", no_decision),
        ("lost", another_decision),
        ("lost", no_edit),
        ("lost", another_result),
        ("lost", result_of_another),
        ("lost", another_reference),
        ("lost", reference_into_nothing),
        ("doubled", two_effects),
        ("doubled", began_twice),
        ("doubled", several_keys),
        ("doubled", batch_of_nobody),
        ("gaps", gap_in_the_log),
        ("gaps", watcher_missed_one),
        ("gaps", watcher_saw_another),
        ("gaps", watcher_without_the_end),
        ("gaps", more_behind_the_end),
        ("illegal_moves", illegal_move),
        ("unknown_wrong", success_without_effect),
        ("unknown_wrong", effect_behind_a_failure),
        ("unknown_wrong", effect_of_what_is_said_to_have_had_none),
        ("unknown_wrong", unknown_without_excuse),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
async def test_one_thing_is_wrong(run: MadeUpRun, figure: str, spoil: Spoil) -> None:
    spoil(run)
    figures = await run.judged()
    assert [about.partition(":")[0] for about in figures.about] == [figure]
    assert getattr(figures, figure) == 1
    assert wrong(figures)


async def test_a_cancel_that_was_acknowledged(run: MadeUpRun) -> None:
    run.story.cancelled = True
    assert (await run.judged()).lost == 0, "it came after the end"
    run.events.pop()
    figures = await run.judged()
    assert (figures.lost, figures.gaps) == (1, 1)
    run.record(event("batch_cancel_requested"))
    assert (await run.judged()).lost == 0


async def test_what_an_executor_says_after_the_end_is_no_gap(run: MadeUpRun) -> None:
    run.told = list(run.events)
    run.record(event("outcome_arrived_late", "send"))
    assert (await run.judged()).about == []


async def test_a_reference_into_nothing_may_have_its_default(run: MadeUpRun) -> None:
    run.proposals["read"].state = FAILED
    run.proposals["send"].bound_arguments_json = '{"ms": 20, "x": 0}'
    assert (await run.judged()).about == []


async def test_what_a_person_ran_again_is_counted_apart(run: MadeUpRun) -> None:
    two_effects(run)
    resolved = event("proposal_resolved", "send", resolution=event_pb2.RESOLUTION_RUN_AGAIN)
    run.record(resolved, last=False)
    assert (await run.judged()).about == []
    run.lines.append(line("effect", "b/send", 3))
    assert (await run.judged()).doubled == 1
    resolved.proposal_resolved.resolution = event_pb2.RESOLUTION_SUCCEEDED
    run.lines.pop()
    assert (await run.judged()).doubled == 1, "it was not said to be run again"


async def test_what_a_person_said_stands(run: MadeUpRun) -> None:
    """Though it had its effect, and whatever its result would have been."""
    run.proposals["send"].result_json = '{"n": 0}'
    assert (await run.judged()).lost == 1
    run.proposals["pay"].state = FAILED
    run.record(event("proposal_resolved", "send"), event("proposal_resolved", "pay"), last=False)
    assert (await run.judged()).about == []


async def test_an_idempotent_tool_may_have_its_effect_and_fail_and_run_again(run: MadeUpRun) -> None:
    run.proposals["note"].state = FAILED
    run.lines += [line("began", "b/note"), line("effect", "b/note")]
    assert (await run.judged()).about == []


async def test_a_call_that_no_fault_struck_was_not_reattached(run: MadeUpRun) -> None:
    run.faults.hits.pop()
    figures = await run.judged()
    assert figures.reattached == 0
    assert figures.about == []
    assert wrong(figures)


def test_a_run_with_too_few_kills_is_red() -> None:
    assert not wrong(Figures(batches=20, kills=2, reattached=1))
    assert wrong(Figures(batches=21, kills=2, reattached=1))


@pytest.mark.parametrize("figure", MUST_BE_ZERO)
def test_a_run_with_any_of_these_is_red(figure: str) -> None:
    figures = Figures(batches=1, kills=1, reattached=1)
    setattr(figures, figure, 1)
    assert wrong(figures)


def test_a_run_of_which_something_is_to_be_said_is_red() -> None:
    assert wrong(Figures(batches=1, kills=1, reattached=1, about=["a service ended by itself"]))
