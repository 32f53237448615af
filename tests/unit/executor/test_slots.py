from hypothesis import given
from hypothesis import strategies as st

from executor_svc.domain.slots import divide

USED = st.lists(st.integers(0, 50), max_size=8)


@given(st.integers(-5, 100), USED)
def test_shares_and_uses_stay_within_the_capacity_where_they_can(capacity: int, used: list[int]):
    shares = divide(capacity, used)
    assert len(shares) == len(used)
    if 0 < len(used) <= capacity and sum(used) <= capacity:
        taken = sum(max(share, use) for share, use in zip(shares, used, strict=True))
        # Nobody gets nothing, even while others keep more than their share.
        assert taken <= capacity + sum(share == 1 and use == 0 for share, use in zip(shares, used, strict=True))


@given(st.integers(1, 100), st.integers(1, 8))
def test_unused_capacity_is_divided_evenly_and_whole(capacity: int, holders: int):
    shares = divide(capacity, [0] * holders)
    assert max(shares) - min(shares) <= 1
    assert sum(shares) == max(capacity, holders)


@given(st.integers(1, 100), USED)
def test_while_there_is_a_slot_nobody_gets_nothing(capacity: int, used: list[int]):
    assert all(share >= 1 for share in divide(capacity, used))


@given(st.integers(-5, 0), USED)
def test_without_a_slot_nobody_gets_one(capacity: int, used: list[int]):
    assert divide(capacity, used) == [0] * len(used)


def test_who_uses_too_much_keeps_it_and_the_others_wait():
    assert divide(10, [10, 0]) == [5, 1]
    assert divide(10, [8, 0]) == [5, 2]
    assert divide(10, [6, 3, 0]) == [4, 3, 1]
