"""Exit codes, of batches, answers and errors; the document has all of them."""

import re
from pathlib import Path

import grpc
import pytest

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight_client import errors
from greenlight_client.cli.exit_codes import MEANINGS, ExitCode, of_answers, of_error, of_summary
from tests.unit.client.recorded import APPROVED, FAILED, PROPOSED, REJECTED, SUCCEEDED, UNKNOWN

_DOCUMENT = Path(__file__).parents[3] / "docs" / "cli.md"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("SUCCEEDED", ExitCode.SUCCEEDED),
        ("PARTIAL", ExitCode.PARTIAL),
        ("FAILED", ExitCode.FAILED),
        ("REJECTED", ExitCode.REJECTED),
        ("CANCELLED", ExitCode.CANCELLED),
        ("BLOCKED", ExitCode.AWAITING_DECISION),
        ("RUNNING", ExitCode.UNFINISHED),
        ("CANCELLING", ExitCode.UNFINISHED),
    ],
)
def test_of_a_batch(state: str, code: ExitCode) -> None:
    batch = batch_pb2.Batch(state=batch_pb2.BatchState.Value(f"BATCH_STATE_{state}"))
    assert of_summary(batch_pb2.Summary(batch=batch)) is code


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([SUCCEEDED, SUCCEEDED], ExitCode.SUCCEEDED),
        ([], ExitCode.SUCCEEDED),
        ([SUCCEEDED, FAILED], ExitCode.PARTIAL),
        ([FAILED, REJECTED], ExitCode.FAILED),
        ([REJECTED], ExitCode.REJECTED),
        ([proposal_pb2.PROPOSAL_STATE_CANCELLED], ExitCode.CANCELLED),
        ([SUCCEEDED, PROPOSED], ExitCode.AWAITING_DECISION),
        ([SUCCEEDED, UNKNOWN], ExitCode.AWAITING_DECISION),
        ([SUCCEEDED, APPROVED], ExitCode.UNFINISHED),
    ],
)
def test_of_answers(states: list[proposal_pb2.ProposalState.ValueType], code: ExitCode) -> None:
    assert of_answers(states) is code
    answers = [proposal_pb2.Answer(state=state) for state in states]
    assert of_summary(batch_pb2.Summary(answers=answers)) is code
    idle = batch_pb2.Batch(state=batch_pb2.BATCH_STATE_IDLE)
    assert of_summary(batch_pb2.Summary(batch=idle, answers=answers)) is code


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.DeniedError, ExitCode.PERMISSION_DENIED),
        (errors.UnavailableError, ExitCode.UNREACHABLE),
        (errors.DeadlineError, ExitCode.UNREACHABLE),
        (errors.NotFoundError, ExitCode.REFUSED),
        (errors.ConflictError, ExitCode.REFUSED),
        (errors.InvalidArgumentError, ExitCode.REFUSED),
        (errors.ExhaustedError, ExitCode.REFUSED),
        (errors.ServerError, ExitCode.INTERNAL),
    ],
)
def test_of_an_error(kind: type[errors.GreenlightError], code: ExitCode) -> None:
    assert of_error(kind("no", code=grpc.StatusCode.UNKNOWN)) is code


def test_the_document_has_the_same_table() -> None:
    rows = re.findall(r"^\| (\d+) \| ([a-z ]+) \| (.+) \|$", _DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(int(number), name, text) for number, name, text in rows] == [
        (int(code), code.name.lower().replace("_", " "), text) for code, text in MEANINGS.items()
    ]
    assert set(MEANINGS) == set(ExitCode)
