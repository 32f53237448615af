"""What an approver is shown, in a terminal of 80 columns and in a file."""

from pathlib import Path

import pytest
from rich.console import Console

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli.cards import card
from greenlight_client.cli.terminal import Settings, Terminal
from tests.unit.client.recorded import PROPOSED, REJECTED

_DIGEST = "sha256:" + "0123456789abcdef" * 4


def _proposal(arguments: str, state: proposal_pb2.ProposalState.ValueType = PROPOSED) -> proposal_pb2.Proposal:
    return proposal_pb2.Proposal(
        proposal_id="0195a000-0000-7000-8000-000000000001/out",
        tool="publish",
        version="1",
        state=state,
        digest=_DIGEST,
        proposed_arguments_json=arguments,
        bound_arguments_json=arguments,
    )


def _picture(proposal: proposal_pb2.Proposal) -> str:
    console = Console(width=80, force_terminal=True, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(card(proposal))
    return capture.get()


def test_the_digest_is_whole_in_eighty_columns() -> None:
    assert _DIGEST in _picture(_proposal("{}"))


def test_a_text_of_several_lines_is_also_shown_as_it_reads() -> None:
    picture = _picture(_proposal('{"report":{"text":"# Title\\n\\nA\\u001b[2Jline"},"one":"line"}'))
    assert '"text": "# Title\\n\\nA\\u001b[2Jline"' in picture
    assert "/report/text, as it reads" in picture
    assert "│ # Title" in picture
    assert "Aline" in picture
    assert "/one" not in picture
    assert "\x1b" not in picture


def test_what_was_rejected_will_not_run() -> None:
    assert "as they will run" in _picture(_proposal("{}"))
    assert "as they will run" not in _picture(_proposal("{}", REJECTED))


def test_in_a_file_there_is_no_frame_and_no_trailing_blank(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    long = '{"text":"' + "word " * 100 + '"}'
    Terminal(Settings()).say(card(_proposal(long)))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "0195a000-0000-7000-8000-000000000001/out"
    assert all(line == line.rstrip() for line in lines)
    assert not set("─│╭╰") & set("".join(lines))
    assert '  "text": "' + "word " * 100 + '"' in lines
