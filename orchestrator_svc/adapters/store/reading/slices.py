"""Work over many rows that leaves the loop to others now and then."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

SLICE = 128

A = TypeVar("A")
B = TypeVar("B")


async def mapped(function: Callable[[A], B], items: Iterable[A]) -> list[B]:
    results: list[B] = []
    for position, item in enumerate(items, 1):
        results.append(function(item))
        if position % SLICE == 0:
            await asyncio.sleep(0)
    return results
