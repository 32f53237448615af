"""The event loop's waiting."""

import socket
import time
from collections.abc import Iterator
from selectors import EVENT_READ

import pytest

from shared.runtime import precise_selector
from shared.runtime.precise_selector import PreciseSelector


@pytest.fixture
def selector() -> Iterator[PreciseSelector]:
    with PreciseSelector() as made:
        yield made


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


@pytest.mark.parametrize("timeout", [None, 60.0, 0.0, -1.0])
def test_says_what_is_ready(
    selector: PreciseSelector, pair: tuple[socket.socket, socket.socket], timeout: float | None
) -> None:
    here, there = pair
    key = selector.register(here, EVENT_READ, "it")
    there.send(b"x")
    assert selector.select(timeout) == [(key, EVENT_READ)]


@pytest.mark.parametrize("descriptors", [0, 1024])
def test_nothing_is_ready(
    selector: PreciseSelector,
    pair: tuple[socket.socket, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
    descriptors: int,
) -> None:
    monkeypatch.setattr(precise_selector, "_DESCRIPTORS", descriptors)
    selector.register(pair[0], EVENT_READ)
    assert selector.select(0.001) == []


def test_does_not_round_up_to_a_millisecond(selector: PreciseSelector) -> None:
    def wait() -> int:
        before = time.monotonic_ns()
        selector.select(0.0002)
        return time.monotonic_ns() - before

    assert any(wait() < 1_000_000 for _ in range(1_000))
