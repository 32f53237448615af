"""What is said of a connection that is lost, and when nothing is."""

import grpc

from greenlight_client import UnavailableError
from greenlight_client.cli.interruptions import Interruptions

_DRAINING = UnavailableError("it is draining", code=grpc.StatusCode.UNAVAILABLE, reason="DRAINING")
_GONE = UnavailableError("connection refused", code=grpc.StatusCode.UNAVAILABLE)
_STORE = UnavailableError("the store does not answer", code=grpc.StatusCode.UNAVAILABLE, reason="STORE_UNAVAILABLE")


class _Watched:
    """With a clock that is set by hand."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.now = 0.0
        self.interruptions = Interruptions(self.said.append, lambda: self.now)


def test_a_restart_is_two_lines() -> None:
    watched = _Watched()
    watched.interruptions.event_came()
    for second in range(10):
        watched.now = float(second)
        watched.interruptions.lost(_DRAINING)
        watched.interruptions.restored()
        watched.interruptions.tick()
    for _ in range(5):
        watched.interruptions.lost(_GONE)
    watched.interruptions.restored()
    assert watched.said == ["the orchestrator is draining; this goes on as soon as one serves"]
    watched.now += 2
    watched.interruptions.tick()
    watched.interruptions.tick()
    assert watched.said[1:] == [""]


def test_the_next_event_says_that_it_is_back() -> None:
    watched = _Watched()
    watched.interruptions.event_came()
    watched.interruptions.lost(_GONE)
    watched.interruptions.event_came()
    watched.interruptions.event_came()
    assert watched.said == ["the connection is lost (connection refused); trying again", ""]
    watched.interruptions.lost(_GONE)
    assert len(watched.said) == 3


def test_another_reason_is_said() -> None:
    watched = _Watched()
    watched.interruptions.event_came()
    watched.interruptions.lost(_GONE)
    watched.interruptions.lost(_STORE)
    assert watched.said[1:] == ["the store does not answer; trying again"]


def test_what_never_was_is_not_lost() -> None:
    watched = _Watched()
    watched.interruptions.lost(_GONE)
    watched.interruptions.restored()
    watched.now = 5
    watched.interruptions.tick()
    assert watched.said == []
