import uuid

from shared.kernel.ids import IdSource
from tests.support.clock import ManualClock


def test_an_id_is_a_version_7_uuid_with_the_clocks_milliseconds():
    clock = ManualClock()
    parsed = uuid.UUID(IdSource(clock).new())
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == clock.time_ns() // 1_000_000


def test_ids_grow_strictly_while_the_clock_stands_still_and_goes_back():
    clock = ManualClock()
    source = IdSource(clock)
    ids = [source.new() for _ in range(10_000)]
    clock.step(-3600)
    ids += [source.new() for _ in range(10)]
    clock.step(7200)
    ids.append(source.new())
    assert ids == sorted(set(ids))


def test_two_sources_at_the_same_instant_do_not_collide():
    clock = ManualClock()
    assert IdSource(clock).new() != IdSource(clock).new()
