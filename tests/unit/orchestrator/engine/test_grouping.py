"""What makes one transaction: bounded, a turn a batch, people first, each batch's changes in their order."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_svc.application.engine.grouping import (
    ALONE_ROWS,
    GROUP_BYTES,
    GROUP_ROWS,
    TURN_ROWS,
    Item,
    Recording,
    Waiting,
)
from orchestrator_svc.domain.changes import PART_ROWS, Changes
from tests.support.batches import Builder, judged


def change(builder: Builder, *, urgent: bool = False, size: int = 0) -> Changes:
    """Costs one row."""
    changes = builder.begin()
    changes.urgent, changes.bytes = urgent, size
    assert changes.rows == 1
    return changes


def fill(waiting: Waiting, builder: Builder, count: int, *, urgent: bool = False, size: int = 0) -> None:
    for _ in range(count):
        waiting.add(Recording(change(builder, urgent=urgent, size=size)))


def turns(group: list[Item]) -> list[tuple[str, int]]:
    """(batch, rows), in the order of the turns."""
    found: list[tuple[str, int]] = []
    for changes, _ in group:
        batch_id = changes.batch.id
        if found and found[-1][0] == batch_id:
            found[-1] = (batch_id, found[-1][1] + changes.rows)
        else:
            found.append((batch_id, changes.rows))
    return found


def test_one_alone_has_several_turns_up_to_its_bound() -> None:
    waiting, builder = Waiting(), Builder()
    fill(waiting, builder, 3 * ALONE_ROWS)
    assert turns(waiting.take()) == [(builder.batch.id, ALONE_ROWS)]


def test_several_have_one_turn_each() -> None:
    waiting, builders = Waiting(), [Builder() for _ in range(3)]
    for builder in builders:
        fill(waiting, builder, 2 * TURN_ROWS)
    assert turns(waiting.take()) == [(builder.batch.id, TURN_ROWS) for builder in builders]


def test_small_ones_share_a_group_with_a_large_one_that_does_not_fill_it() -> None:
    waiting, large, small = Waiting(), Builder(), [Builder() for _ in range(5)]
    fill(waiting, large, 10 * GROUP_ROWS)
    for builder in small:
        fill(waiting, builder, 2)
    assert turns(waiting.take()) == [(large.batch.id, TURN_ROWS)] + [(builder.batch.id, 2) for builder in small]


def test_many_fill_a_group_up_to_its_bound_and_the_next_goes_on_where_it_ended() -> None:
    waiting, builders = Waiting(), [Builder() for _ in range(12)]
    for builder in builders:
        fill(waiting, builder, 2 * TURN_ROWS)
    first, second = waiting.take(), waiting.take()
    fitting = GROUP_ROWS // TURN_ROWS
    assert sum(rows for _, rows in turns(first)) == GROUP_ROWS
    assert [batch_id for batch_id, _ in turns(first)] == [builder.batch.id for builder in builders[:fitting]]
    assert [batch_id for batch_id, _ in turns(second)][:4] == [builder.batch.id for builder in builders[fitting:]]


def test_the_last_turn_of_a_group_is_cut_at_the_bound() -> None:
    waiting, builders = Waiting(), [Builder() for _ in range(12)]
    fill(waiting, builders[0], 1)
    for builder in builders[1:]:
        fill(waiting, builder, TURN_ROWS)
    assert sum(rows for _, rows in turns(waiting.take())) == GROUP_ROWS


def test_bytes_bound_a_group_too() -> None:
    waiting, builders = Waiting(), [Builder(), Builder()]
    for builder in builders:
        fill(waiting, builder, 8, size=GROUP_BYTES // 4)
    group = waiting.take()
    assert turns(group) == [(builders[0].batch.id, 4)]
    assert sum(changes.bytes for changes, _ in group) == GROUP_BYTES
    fill(waiting, builders[0], 1, size=8 * GROUP_BYTES)
    rest = [waiting.take() for _ in range(4)]
    assert [len(group) for group in rest] == [4, 4, 4, 1], "what is larger than a group is one by itself"


def test_people_go_before_machines() -> None:
    waiting, machine, person = Waiting(), Builder(), Builder()
    fill(waiting, machine, 3)
    fill(waiting, person, 1, urgent=True)
    assert [batch_id for batch_id, _ in turns(waiting.take())] == [person.batch.id, machine.batch.id]


def test_urgent_changes_of_several_batches_in_turn_leave_nobody_waiting() -> None:
    waiting, people, machine = Waiting(), [Builder(), Builder()], Builder()
    for _ in range(3):
        for builder in people:
            fill(waiting, builder, 1, urgent=True)
    fill(waiting, machine, 1)
    group = waiting.take()
    assert turns(group) == [*((builder.batch.id, 3) for builder in people), (machine.batch.id, 1)]
    waiting.done(group)
    assert not waiting


def test_what_a_person_changes_comes_after_what_its_batch_has_waiting() -> None:
    waiting, other, builder = Waiting(), Builder(), Builder()
    fill(waiting, other, 1)
    fill(waiting, builder, 2)
    urgent = change(builder, urgent=True)
    waiting.add(Recording(urgent))
    group = waiting.take()
    assert [batch_id for batch_id, _ in turns(group)] == [builder.batch.id, other.batch.id]
    assert group[2][0] is urgent


def test_a_large_submission_leaves_room_between_its_parts() -> None:
    waiting, large, small = Waiting(), Builder(), Builder()
    recording = Recording(large.submit([judged(f"p{n}") for n in range(3 * PART_ROWS)]))
    waiting.add(recording)
    fill(waiting, small, 1)
    first, second = waiting.take(), waiting.take()
    assert [changes.batch for changes, _ in first] == [large.batch, small.batch]
    assert [item[1] for item in second] == [None, recording]


def test_a_batch_keeps_its_place_until_its_transaction_is_over() -> None:
    waiting, builder = Waiting(), Builder()
    fill(waiting, builder, 2)
    group = waiting.take()
    assert builder.batch.id in waiting
    assert waiting.rows == 2
    fill(waiting, builder, 1)
    waiting.done(group)
    assert builder.batch.id in waiting
    waiting.done(waiting.take())
    assert not waiting
    assert waiting.rows == 0


def test_what_is_dropped_is_out_of_the_count() -> None:
    waiting, builder, other = Waiting(), Builder(), Builder()
    fill(waiting, builder, TURN_ROWS + 5, size=7)
    fill(waiting, other, 1)
    group = waiting.take()
    assert len(waiting.drop(builder.batch.id)) == 5
    waiting.done(group)
    assert (waiting.rows, waiting.bytes) == (0, 0)
    assert not waiting
    assert waiting.take() == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([1, 2, 90]), st.booleans(), st.booleans()), max_size=40))
def test_nothing_is_lost_doubled_or_out_of_order(steps: list[tuple[int, int, bool, bool]]) -> None:
    waiting, builders = Waiting(), [Builder() for _ in range(6)]
    put: dict[str, list[Changes]] = {builder.batch.id: [] for builder in builders}
    taken: dict[str, list[Changes]] = {builder.batch.id: [] for builder in builders}

    def take() -> None:
        group = waiting.take()
        assert group or not waiting, "the recorder sleeps when a group is empty"
        rows = Counter(changes.batch.id for changes, _ in group)
        assert sum(rows.values()) <= GROUP_ROWS
        for changes, _ in group:
            taken[changes.batch.id].append(changes)
        waiting.done(group)

    for which, count, urgent, now in steps:
        for _ in range(count):
            changes = change(builders[which], urgent=urgent)
            put[changes.batch.id].append(changes)
            waiting.add(Recording(changes))
        if now:
            take()
    while waiting:
        take()
    assert taken == put
    assert waiting.rows == 0
