"""Numbers of the domain's enums are those of the wire, and none is missing on either side."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import pytest

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import event_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.application.summaries import WaitingReason
from orchestrator_svc.domain.proposal import Condition, ProposalState, Verdict
from orchestrator_svc.domain.states import BatchState, OnInvalid, Resolution
from orchestrator_svc.domain.tool import Effect, FailureClass, KnownEffect, Tier

ENUMS: list[tuple[type[IntEnum], Any, str]] = [
    (ProposalState, proposal_pb2.ProposalState, "PROPOSAL_STATE_"),
    (Condition, proposal_pb2.DependencyCondition, "DEPENDENCY_CONDITION_"),
    (Verdict, proposal_pb2.Verdict, "VERDICT_"),
    (BatchState, batch_pb2.BatchState, "BATCH_STATE_"),
    (OnInvalid, batch_pb2.OnInvalid, "ON_INVALID_"),
    (Resolution, pb.Resolution, "RESOLUTION_"),
    (WaitingReason, proposal_pb2.WaitingReason, "WAITING_REASON_"),
    (Effect, tool_pb2.Effect, "EFFECT_"),
    (Tier, tool_pb2.Tier, "TIER_"),
    (FailureClass, tool_pb2.FailureClass, "FAILURE_CLASS_"),
    (KnownEffect, tool_pb2.KnownEffect, "KNOWN_EFFECT_"),
]


def _named(wire: Any, prefix: str) -> Iterator[tuple[str, int]]:
    for name, number in wire.items():
        assert name.startswith(prefix)
        if number:
            yield name.removeprefix(prefix), number


@pytest.mark.parametrize(("ours", "wire", "prefix"), ENUMS, ids=[ours.__name__ for ours, _, _ in ENUMS])
def test_numbers_are_those_of_the_wire(ours: type[IntEnum], wire: Any, prefix: str) -> None:
    assert {member.name: int(member) for member in ours} == dict(_named(wire, prefix))
