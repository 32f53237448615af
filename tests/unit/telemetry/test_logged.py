"""The log has a line when a batch comes and one when it is finished, none for a call."""

import logging

import pytest

from orchestrator_svc.adapters.observer.logged import LoggedBatches
from orchestrator_svc.adapters.observer.null import NullObserver
from orchestrator_svc.domain.tool import Tier
from tests.support.clock import ManualClock
from tests.support.flow import TRACE, Flow


def test_two_lines_a_batch(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    clock = ManualClock()
    flow = Flow(LoggedBatches(NullObserver()), clock)
    flow.submit(("a", Tier.AUTO), ("b", Tier.AUTO))
    for key in ("a", "b"):
        assert flow.dispatch(key) == b""
        clock.advance(1)
        flow.end(key)
    assert [record.message for record in caplog.records] == [
        "batch 0190aaaa-batch of default: proposals: 2",
        "batch 0190aaaa-batch SUCCEEDED in 2.000 s: 2 SUCCEEDED",
    ]
    assert {vars(record)["trace_id"] for record in caplog.records} == {TRACE}
