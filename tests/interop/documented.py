"""The services that the documents' commands talk to: those that `greenlight up` starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.services import Services, services

TOOLBOX = "examples.research_stock.tools"


@contextmanager
def documented_services(folder: Path) -> Iterator[Services]:
    with services(folder, toolbox=TOOLBOX) as pair:
        yield pair
