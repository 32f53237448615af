"""Answers as a table, and how waits are written."""

import pytest
from rich.console import Console

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli.formats import wait_text
from greenlight_client.cli.results import answers_table
from tests.unit.client.recorded import BATCH, SUCCEEDED


@pytest.mark.parametrize(("with_batches", "name"), [(True, f"{BATCH[:13]}/a"), (False, "a")])
def test_answers_of_several_batches_name_theirs(with_batches: bool, name: str) -> None:
    console = Console(width=80)
    with console.capture() as capture:
        answer = proposal_pb2.Answer(key="a", batch_id=BATCH, state=SUCCEEDED, result_json="1")
        console.print(answers_table([answer], with_batches=with_batches))
    assert capture.get().split()[:2] == [name, "succeeded"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "3 s"), (3600, "60 m"), (7140, "1 h 59 m"), (7200, "2 h 00 m"), (86_400, "24 h")]
)
def test_waits(seconds: int, text: str) -> None:
    assert wait_text(seconds) == text
