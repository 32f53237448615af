"""What goes out when: as much as waits, no more than is granted, and no cancel before its call."""

from orchestrator_svc.adapters.executor.outbox import Outbox
from orchestrator_svc.adapters.executor.slots import Slots
from orchestrator_svc.domain.tool import ToolKey
from orchestrator_svc.ports.executor import Call
from tests.support.calls import ECHO, make_ask, make_calls, make_cancel

LIMITED = ToolKey("limited", "1")


def _outbox(total: int, **limits: int) -> tuple[Slots, Outbox]:
    slots = Slots()
    slots.grant(total, {ToolKey(name, "1"): limit for name, limit in limits.items()})
    return slots, Outbox(slots)


def _put(slots: Slots, outbox: Outbox, calls: list[Call]) -> None:
    for call in calls:
        assert slots.take(call.id, call.tool)
    outbox.put_calls(calls)


def _sent(outbox: Outbox) -> list[list[str]]:
    frames: list[list[str]] = []
    while (request := outbox.next_request()) is not None:
        frames.append([call.id for call in request.frame.calls])
    return frames


def test_frames_hold_what_waits_in_order():
    slots, outbox = _outbox(200)
    calls = make_calls(150)
    _put(slots, outbox, calls)
    frames = _sent(outbox)
    assert [len(frame) for frame in frames] == [64, 64, 22]
    assert [call_id for frame in frames for call_id in frame] == [call.id for call in calls]


def test_nothing_waits_nothing_goes_out():
    _, outbox = _outbox(1)
    assert outbox.next_request() is None


def test_a_grant_that_shrank_holds_calls_back():
    slots, outbox = _outbox(10)
    calls = make_calls(10)
    _put(slots, outbox, calls)
    slots.grant(3, {})
    assert _sent(outbox) == [[call.id for call in calls[:3]]]
    slots.release(calls[0].id)
    assert _sent(outbox) == [[calls[3].id]]
    assert _sent(outbox) == []


def test_a_tool_s_limit_holds_back_only_its_calls():
    slots, outbox = _outbox(10, limited=2)
    limited, others = make_calls(3, LIMITED), make_calls(2, ECHO, first=10)
    _put(slots, outbox, [*limited, *others])
    assert _sent(outbox) == [[limited[0].id, limited[1].id, others[0].id, others[1].id]]
    slots.release(limited[1].id)
    assert _sent(outbox) == [[limited[2].id]]


def test_calls_can_be_taken_back_before_they_are_sent():
    slots, outbox = _outbox(10)
    calls = make_calls(3)
    _put(slots, outbox, calls)
    assert outbox.take_back([calls[1].id, "never heard of"]) == [calls[1]]
    assert _sent(outbox) == [[calls[0].id, calls[2].id]]
    assert outbox.take_back() == []


async def test_ids_are_sent_in_bounded_requests():
    _, outbox = _outbox(1)
    outbox.put_acknowledgements(str(number) for number in range(2_500))
    outbox.put_attaches([make_ask("a", "boot")])
    outbox.put_cancels([make_cancel("c")])
    requests = []
    while (request := outbox.next_request()) is not None:
        requests.append(request)
    assert [len(request.acknowledgements) for request in requests] == [1_000, 1_000, 500]
    assert [(attach.call_id, attach.boot_id) for attach in requests[0].attaches] == [("a", "boot")]
    assert list(requests[0].cancels) == ["c"]
    assert not requests[1].cancels
    assert not requests[0].HasField("frame")


async def test_acknowledgements_go_with_what_is_sent():
    slots, outbox = _outbox(1)
    outbox.put_acknowledgements(["a"])
    assert not outbox.wake.is_set()
    _put(slots, outbox, make_calls(1))
    request = outbox.next_request()
    assert request is not None
    assert (len(request.frame.calls), list(request.acknowledgements)) == (1, ["a"])
    assert not outbox.holds_acknowledgements


async def test_acknowledgements_go_alone_in_the_end():
    _, outbox = _outbox(1)
    outbox.put_acknowledgements(["a"])
    await outbox.wake.wait()
    request = outbox.next_request()
    assert request is not None
    assert list(request.acknowledgements) == ["a"]
