"""What NOTIFY carries: everything, within its limit; and nothing that comes from it can harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_svc.adapters.wakeups.payloads import MAX_BYTES, pack, sender_of, unpack
from orchestrator_svc.ports.wakeups import Wake, WakeKind

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
wakes = st.builds(Wake, st.sampled_from(WakeKind), texts, texts, texts, texts, st.integers(0, 1 << 62))


@given(st.lists(wakes, max_size=200))
def test_it_comes_back_in_order_and_none_is_too_long(sent: list[Wake]) -> None:
    payloads = pack("01a1fde5-ba3b-7ce0-9f68-73a3a0972ea4", sent)
    assert [wake for payload in payloads for wake in unpack(payload)] == sent
    assert all(len(payload.encode()) <= MAX_BYTES and "\x00" not in payload for payload in payloads)
    assert {sender_of(payload) for payload in payloads} <= {"01a1fde5-ba3b-7ce0-9f68-73a3a0972ea4"}


def test_few_messages_for_many() -> None:
    sent = [Wake(WakeKind.MOVED, "default", "s" * 36, f"{number:036}", head=number) for number in range(1, 1001)]
    assert len(pack("sender", sent)) < 20


def test_one_that_fits_into_none_says_that_something_was_missed() -> None:
    long, short = Wake(WakeKind.MOVED, "t", "s" * MAX_BYTES, "b"), Wake(WakeKind.RELEASED)
    (payload,) = pack("sender", [long, short])
    assert unpack(payload) == [Wake(WakeKind.MISSED), short]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sender",
        "sender {",
        "sender 1",
        "sender null",
        'sender "a"',
        'sender ["moved"]',
        "sender [[]]",
        'sender [["of a newer version"]]',
        'sender [["moved",1]]',
        'sender [["moved","t","s","b","","9"]]',
        'sender [["moved","t","s","b","",1,2]]',
    ],
)
def test_what_cannot_be_read_may_have_said_anything(text: str) -> None:
    assert unpack(text) == [Wake(WakeKind.MISSED)]


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    unpack(text)
