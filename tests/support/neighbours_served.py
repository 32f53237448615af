"""Both orchestrators of one PostgreSQL database, served in this process, with an executor that both use."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor_svc.bootstrap import serving as serve_executor
from executor_svc.settings import Settings as ExecutorSettings
from tests.support.services import TOOLBOX, Services, services


@dataclass(frozen=True, slots=True)
class Both:
    """`one` has what it was given to run; `other` has nothing of it."""

    one: Services
    other: Services


@asynccontextmanager
async def both_served(folder: Path, store: str, **settings: Any) -> AsyncGenerator[Both]:
    given = ExecutorSettings(listen="127.0.0.1:0", toolbox=[TOOLBOX], data=folder / "executor", drain_grace=0)
    async with serve_executor(given) as executor:
        options: dict[str, Any] = {"store": store, "executors": [executor.address], **settings}
        async with services(folder / "one", **options) as one, services(folder / "other", **options) as other:
            yield Both(one, other)
