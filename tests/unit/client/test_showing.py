"""`show BATCH/KEY`: everything on record of a proposal."""

import pytest

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_client.cli.commands.showing import show_proposal
from greenlight_client.cli.terminal import Settings, Terminal
from tests.unit.client.recorded import UNKNOWN, at


def _shown(proposal: proposal_pb2.Proposal, capsys: pytest.CaptureFixture[str]) -> list[str]:
    show_proposal(Terminal(Settings()), proposal)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_who_steered_it_last_and_why_is_there_whatever_its_state(capsys: pytest.CaptureFixture[str]) -> None:
    proposal = proposal_pb2.Proposal(
        proposal_id="b/k",
        session_id="chat",
        state=UNKNOWN,
        failure=tool_pb2.Failure(reason="EXECUTOR_LOST", message="gone"),
        last_operator="user:ann",
        last_operator_reason="again",
        labels={"team": "desk", "case": "7"},
    )
    proposal.create_time.FromDatetime(at(0))
    lines = _shown(proposal, capsys)
    for line in (
        "state outcome unknown (EXECUTOR_LOST: gone)",
        "last steered by user:ann: again",
        "session chat",
        "created, finished 2026-03-01 12:00:00 UTC, -",
        "label case=7",
        "label team=desk",
    ):
        assert line in lines


def test_what_was_proposed_is_there_beside_what_it_was_bound_to(capsys: pytest.CaptureFixture[str]) -> None:
    bound = proposal_pb2.Proposal(proposed_arguments_json='{"rows":{"$from":"l"}}', bound_arguments_json='{"rows":[1]}')
    lines = _shown(bound, capsys)
    assert '"$from": "l"' in lines
    assert "arguments as proposed, with their references" in lines
    same = proposal_pb2.Proposal(proposed_arguments_json='{"a":1}', bound_arguments_json='{"a":1}')
    assert _shown(same, capsys).count('"a": 1') == 1
