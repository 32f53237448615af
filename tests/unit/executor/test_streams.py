from typing import Any

from executor_svc.application.registry import Registry
from executor_svc.application.streams import Streams


def test_a_stream_with_calls_that_may_have_started_on_a_thread_is_woken():
    streams = Streams(2, Registry([]))
    waiting, idle = streams.add(), streams.add()
    started: Any = object()
    waiting.outbox.fresh.append(started)
    streams.announce_started()
    assert (waiting.outbox.wake.is_set(), idle.outbox.wake.is_set()) == (True, False)


def test_a_grant_is_said_only_where_it_changed():
    streams = Streams(3, Registry([]))
    first = streams.add()
    streams.divide(0)
    assert (first.grant, first.outbox.grant) == (3, True)
    first.outbox.grant = False
    streams.divide(0)
    assert not first.outbox.grant
    second = streams.add()
    streams.divide(0)
    assert (first.grant, second.grant, first.outbox.grant) == (2, 1, True)


def test_draining_grants_nothing_and_says_so_to_newcomers_too():
    streams = Streams(3, Registry([]))
    first = streams.add()
    streams.divide(0)
    streams.drain()
    second = streams.add()
    streams.divide(0)
    assert (first.grant, second.grant) == (0, 0)
    assert first.outbox.draining
    assert second.outbox.draining
