"""The neighbour: batches of no-ops, one after another without pause, until it is stopped.

    python -m tests.bench.load HOST:PORT CALLS

Says that it is ready after its first batch.
"""

import asyncio
import json
import sys

import grpc

from tests.bench.clients import Ours


async def main(address: str, count: int) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        client = Ours(channel)
        await client.run(count)
        print(json.dumps({"event": "ready"}), flush=True)
        while True:
            await client.run(count)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
