"""DBOS: a durable workflow whose steps run at once, on SQLite."""

import asyncio
import logging
import sys
from pathlib import Path

from dbos import DBOS
from timing import TEXT, report


@DBOS.step()
async def noop(text: str) -> str:
    return text


@DBOS.step()
async def sleep_ms(ms: int) -> int:
    await asyncio.sleep(ms / 1000)
    return ms


@DBOS.workflow()
async def noops(count: int) -> int:
    return len(await asyncio.gather(*(noop(TEXT) for _ in range(count))))


@DBOS.workflow()
async def sleepers(count: int) -> int:
    return len(await asyncio.gather(*(sleep_ms(50) for _ in range(count))))


async def main(folder: Path) -> None:
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{folder}/dbos.db", "log_level": "ERROR"})
    logging.disable(logging.WARNING)
    DBOS.launch()

    async def run_noops(count: int) -> None:
        assert await noops(count) == count

    async def run_sleepers(count: int) -> None:
        assert await sleepers(count) == count

    await report(
        run_noops, run_sleepers, ["dbos"], "one workflow a batch, async steps, SQLite; tools in the same process"
    )
    DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
