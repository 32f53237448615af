"""What all tools of the example share: prices, the simulated latency, the declared faults, the folder to write to."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from examples.research_stock.prices import SOURCE, Prices
from examples.research_stock.results import Provenance
from examples.research_stock.settings import Settings
from greenlight_tool import NONE, InvalidArgument, Permanent, ToolContext, Transient


@dataclass(frozen=True, slots=True)
class Desk:
    """Made once by the toolbox's lifespan; a tool finds it in its context."""

    prices: Prices
    settings: Settings

    @classmethod
    def of(cls, context: ToolContext) -> "Desk":
        return cast(Desk, context.lifespan)

    async def serve(self, tool: str, context: ToolContext) -> Provenance:
        """Takes as long as a remote provider would, or fails as it was asked to."""
        self._fail(tool, context.attempt)
        await asyncio.sleep(self.settings.latencies[tool] / 1000)
        return self._provenance(tool)

    def serve_plain(self, tool: str, context: ToolContext) -> Provenance:
        """The same for a plain function, which has a thread to itself."""
        self._fail(tool, context.attempt)
        time.sleep(self.settings.latencies[tool] / 1000)
        context.raise_if_cancelled()
        return self._provenance(tool)

    def _provenance(self, tool: str) -> Provenance:
        return Provenance(SOURCE, self.settings.latencies[tool])

    def _fail(self, tool: str, attempt: int) -> None:
        permanent = self.settings.faults.get(tool)
        if permanent:
            raise Permanent(f"RESEARCH_STOCK_FAULT lets {tool} fail", effect=NONE, reason="DECLARED_FAULT")
        if permanent is False and attempt == 1:
            message = f"RESEARCH_STOCK_FAULT lets {tool} fail at its first attempt"
            raise Transient(message, effect=NONE, reason="DECLARED_FAULT")


@contextmanager
def enough_data() -> Generator[None, None, None]:
    """Too little of it is the arguments' fault, and no reason to try again."""
    try:
        yield
    except ValueError as error:
        raise InvalidArgument(str(error), effect=NONE) from error
