"""The services that the documents' commands talk to: those that `greenlight up` starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.processes import ROOT
from tests.bench.services import services
from tests.interop.console import Console

EXAMPLE = ROOT / "examples" / "research_stock"


@contextmanager
def console(folder: Path) -> Iterator[Console]:
    """A console on fresh services that keep everything in `folder`."""
    env = {"RESEARCH_STOCK_OUT": str(folder / "research_stock_out")}
    with services(folder, toolbox=EXAMPLE / "toolbox.py", templates=EXAMPLE, env=env) as pair:
        yield Console(pair.orchestrator_address, pair.executor_address, str(folder))
