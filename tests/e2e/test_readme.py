"""What README shows of Python runs: its tool on an executor, its agent's loop against it, and the answers it prints."""

import re
import subprocess
import sys
from pathlib import Path

from tests.bench.processes import ROOT, environment
from tests.bench.services import services

README = (ROOT / "README.md").read_text(encoding="utf-8")
_ADDRESS = "127.0.0.1:50051"


def shown(name: str) -> str:
    """The fenced block after the mark `readme: NAME`."""
    found = re.search(rf"^<!-- readme: {re.escape(name)} -->\n```\w+\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert found, name
    return found[1]


def test_the_agent_gets_the_answers_that_are_written(tmp_path: Path):
    toolbox = tmp_path / "my_tools.py"
    toolbox.write_text(shown("my_tools.py"), encoding="utf-8")
    agent = shown("agent.py")
    assert _ADDRESS in agent
    with services(tmp_path, toolbox=toolbox) as pair:
        done = subprocess.run(
            [sys.executable, "-c", agent.replace(_ADDRESS, pair.orchestrator_address)],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.stdout == shown("output"), done.stderr
