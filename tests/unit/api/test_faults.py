"""What is wrong with a request's form is said by field; what is right comes through exactly."""

import uuid
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.api.mapping.faults import Faults
from orchestrator_svc.api.mapping.keys import request_key
from orchestrator_svc.api.mapping.values import duration, timestamp
from orchestrator_svc.domain.tool import Tier
from shared.kernel.errors import InvalidError


@given(st.integers(0, 10**18))
def test_durations_come_and_go_exactly(value: int):
    faults = Faults()
    sent = Duration()
    sent.FromNanoseconds(value)
    assert faults.duration(sent, "x") == value
    assert duration(value) == sent
    faults.check()


@given(st.integers(-(10**18), 10**18))
def test_negative_durations_are_measured_ones(value: int):
    made = duration(value)
    assert made is not None
    assert made.ToNanoseconds() == value


@given(st.integers(-(10**17), 4 * 10**18))
def test_times_go_exactly(value: int):
    made = timestamp(value)
    assert made is not None
    assert made.ToNanoseconds() == value
    assert timestamp(None) is duration(None) is None


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(-1, 0), (0, -1), (1, -1), (0, 10**9), (10**12, 0), (2**63 - 1, 0), (-(2**63), 0)]
)
def test_durations_that_are_refused(seconds: int, nanos: int):
    faults = Faults()
    faults.duration(Duration(seconds=seconds, nanos=nanos), "place")
    with pytest.raises(InvalidError) as raised:
        faults.check()
    assert [violation.field for violation in raised.value.violations] == ["place"]


def test_enums():
    faults = Faults("SOME_REASON")
    assert faults.enum(Tier, 2, "x") is Tier.SOFT
    assert faults.enum(Tier, 0, "x") is None
    faults.check()
    faults.enum(Tier, 4, "tier")
    with pytest.raises(InvalidError, match="SOME_REASON: tier: 4 is not known here; there are AUTO = 1"):
        faults.check()


def test_no_more_faults_than_a_person_reads():
    faults = Faults()
    for number in range(1000):
        faults.add(f"field {number}", "wrong")
    with pytest.raises(InvalidError) as raised:
        faults.check()
    assert len(raised.value.violations) == 20


def _key(**fields: Any) -> Any:
    return request_key(pb.SoftConfirmRequest(request_id=str(uuid.UUID(int=1)), session_id="s", **fields))


def test_how_long_one_looks_is_no_part_of_the_payload():
    key = _key(all=True)
    assert key.kind == "SoftConfirm"
    assert key == _key(all=True, until=pb.UNTIL_BLOCKED, max_wait=Duration(seconds=3))
    assert key != _key(all=True, agents=["a"])


def test_the_request_itself_stays_as_it_is():
    request = pb.CancelBatchRequest(batch_id="b", request_id=str(uuid.UUID(int=1)))
    before = request.SerializeToString()
    request_key(request)
    assert request.SerializeToString() == before
    assert request_key(pb.CancelBatchRequest(batch_id="b")) is None
