"""What the recorder writes of several steps: each row once, each event once; a large submission in parts."""

import pytest

from orchestrator_svc.domain.changes import PART_ROWS, Changes, CommandRecord, merge
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.tool import Tier
from tests.support.batches import Builder, judged


def large(count: int) -> Changes:
    builder = Builder()
    command = CommandRecord("r", "SubmitBatch", b"h", b"a")
    return builder.submit([judged(f"p{n}", arguments=f'{{"n":{n}}}') for n in range(count)], command)


def test_a_proposal_that_was_added_and_moved_is_one_row() -> None:
    builder = Builder()
    steps = [builder.submit([judged("a"), judged("b", tier=Tier.HARD)]), builder.dispatch("a"), builder.succeed("a")]
    (write,) = merge(steps)
    assert [record.state for _, record in write.added] == [State.SUCCEEDED, State.PROPOSED]
    assert write.records == {}
    assert [event.sequence for event in write.events] == list(range(1, builder.batch.head + 1))
    assert (write.created, write.publish) == (True, True)
    assert write.header == steps[-1].header


def test_the_last_of_several_moves_is_written() -> None:
    builder = Builder()
    builder.submit([judged("a"), judged("b")])
    (write,) = merge([builder.dispatch("a"), builder.dispatch("b"), builder.succeed("a")])
    assert {ordinal: record.state for ordinal, record in write.records.items()} == {
        1: State.SUCCEEDED,
        2: State.RUNNING,
    }
    assert (write.created, write.publish, write.added) == (False, False, [])


def test_later_moves_do_not_reach_into_what_is_under_way() -> None:
    builder = Builder()
    builder.submit([judged("a")])
    sent = builder.dispatch("a")
    header = sent.header
    builder.succeed("a")
    assert sent.records[1].state is State.RUNNING
    assert sent.header == header


def test_batches_stay_apart_in_order_and_commands_are_kept() -> None:
    first, second = Builder(), Builder()
    command = CommandRecord("r", "DecideProposals", b"h", b"a")
    steps = [first.submit([judged("a")]), second.submit([judged("a")], command), first.dispatch("a")]
    writes = merge(steps)
    assert [write.batch for write in writes] == [first.batch, second.batch]
    assert [write.commands for write in writes] == [[], [command]]


@pytest.mark.parametrize("count", [1, PART_ROWS, PART_ROWS + 1, 3 * PART_ROWS, 3 * PART_ROWS + 5])
def test_parts_are_the_whole(count: int) -> None:
    whole = large(count)
    events, added, size, ready = list(whole.events), list(whole.added), whole.bytes, list(whole.ready)
    parts = whole.parts()
    assert len(parts) == (count + PART_ROWS - 1) // PART_ROWS
    assert [event for part in parts for event in part.events] == events
    assert [row for part in parts for row in part.added] == added
    assert sum(part.bytes for part in parts) == size
    assert all(len(part.added) <= PART_ROWS and part.events for part in parts)
    assert [part.created for part in parts] == [True] + [False] * (len(parts) - 1)
    assert [part.publish for part in parts] == [False] * (len(parts) - 1) + [True]
    assert [part.part for part in parts] == [True] * (len(parts) - 1) + [False]
    assert parts[-1].ready == ready
    assert all(not part.ready and not part.timers and part.command is None for part in parts[:-1])
    heads = [part.header.head for part in parts if part.header]
    assert heads == [part.events[-1].sequence for part in parts]


def test_only_what_is_new_is_cut() -> None:
    builder = Builder()
    builder.batch.open = True
    builder.submit([judged("a")])
    addition = builder.add([judged(f"p{n}") for n in range(2 * PART_ROWS)])
    assert addition.parts() == [addition]
