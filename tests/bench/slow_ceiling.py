"""The ceiling's executor, unchanged, but its tool takes 50 ms.

python slow_ceiling.py, with EX=PORT, and the ceiling's folder and the code generated from its proto on PYTHONPATH.
"""

import asyncio
import importlib
from typing import Any


async def sleep_50ms(args: bytes) -> bytes:
    await asyncio.sleep(0.05)
    return args


if __name__ == "__main__":
    ex: Any = importlib.import_module("ex")
    ex.noop = sleep_50ms
    asyncio.run(ex.main())
