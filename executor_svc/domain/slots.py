"""Divides an executor's slots among those who may use them."""

from collections.abc import Sequence


def divide(capacity: int, used: Sequence[int]) -> list[int]:
    """Returns each holder's share of `capacity`, given how many slots each uses now.

    Shares are even, the earlier holders get what is left over. Who uses more than its share keeps that until it ends,
    and the others wait for it: the greater of share and use, summed up over all, stays within `capacity`. Except that
    nobody gets nothing while there is a slot at all: with more holders than slots each gets one, and who comes too late
    is refused.
    """
    if not used or capacity <= 0:
        return [0] * len(used)
    even, rest = divmod(capacity, len(used))
    shares = [even + (index < rest) for index in range(len(used))]
    owed = sum(max(0, use - share) for use, share in zip(used, shares, strict=True))
    while owed:
        free = [index for index, use in enumerate(used) if shares[index] > use]
        if not free:
            break
        widest = max(free, key=lambda index: shares[index] - used[index])
        shares[widest] -= 1
        owed -= 1
    return [max(1, share) for share in shares]
