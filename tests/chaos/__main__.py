"""python -m tests.chaos --batches N --seed S --store STORE: real processes, killed, stopped, cut off under load.

Prints what it does to stderr, what is wrong to stdout, and as its last line JSON. Ends with 1 if anything is wrong.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import get_args

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight_client import Backoff, GreenlightClient, GreenlightError
from tests.chaos.crowd import Crowd
from tests.chaos.faults import Faults
from tests.chaos.fleet import EXECUTORS, Fleet, StoreKind, fleet
from tests.chaos.journals import read_journals
from tests.chaos.ledger import Ledger
from tests.chaos.looks import WITH_PROBE
from tests.chaos.unknowns import Evidence
from tests.chaos.verdict import Figures, look

PATIENCE = 60.0
"""Seconds after the last fault in which everything has to have ended, or to wait for a person."""
FINISHED = {
    batch_pb2.BATCH_STATE_SUCCEEDED,
    batch_pb2.BATCH_STATE_PARTIAL,
    batch_pb2.BATCH_STATE_FAILED,
    batch_pb2.BATCH_STATE_REJECTED,
    batch_pb2.BATCH_STATE_CANCELLED,
}
UNKNOWN = [proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN]
MUST_BE_ZERO = ("lost", "doubled", "unfinished", "gaps", "unknown_wrong", "illegal_moves")


async def chaos(batches: int, seed: int, folder: Path, store: StoreKind) -> Figures:
    ledger, figures = folder / "ledger", Figures()
    ledger.touch()
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(fleet(folder, ledger, store))
        made = [GreenlightClient(each, retry_for=120, backoff=Backoff(0.05, 0.5)) for each in running.addresses]
        clients = [await stack.enter_async_context(client) for client in made]
        faults = Faults(running, random.Random(seed))
        crowd = Crowd(clients, faults, seed)
        async with asyncio.TaskGroup() as tasks:
            people = tasks.create_task(crowd.decide_all())
            breaking = tasks.create_task(faults.run())
            await crowd.submit_all(batches)
            say(f"{batches} batches submitted, {len(faults.hits)} faults")
            faults.enough = True
            await breaking
            await settle(clients[0], figures, blocked=True)
            say("all have ended, or wait for somebody to look")
            await resolve_all(clients[0], Ledger(ledger))
            await settle(clients[-1], figures, blocked=False)
            for story in crowd.stories:
                await crowd.watch(story, "finished", 5)
            people.cancel()
        journals = read_journals({name: running.journal(name) for name in EXECUTORS})
        await look(clients[0], crowd, faults, Evidence(Ledger(ledger), faults.hits, journals), figures)
        processes(running, figures)
    return figures


def processes(running: Fleet, figures: Figures) -> None:
    """None ended by itself, and none said what only its makers understand."""
    for service in running.services.values():
        figures.about += service.complaints(running.excused)


async def settle(client: GreenlightClient, figures: Figures, *, blocked: bool) -> None:
    """Until everything has ended (or waits for a resolution, which no tool finds); what has not by then is
    unfinished."""
    until = time.monotonic() + PATIENCE
    while True:
        rest = [batch async for batch in client.list_batches() if batch.state not in FINISHED]
        if blocked:
            looked_for = {each.batch_id async for each in client.list_proposals(states=UNKNOWN, tool=WITH_PROBE)}
            rest = [batch for batch in rest if not only_unknown(batch) or batch.batch_id in looked_for]
        if not rest:
            return
        if time.monotonic() > until:
            for batch in rest:
                figures.count("unfinished", f"{batch.batch_id} {batch_pb2.BatchState.Name(batch.state)}")
            return
        await asyncio.sleep(0.2)


def only_unknown(batch: batch_pb2.Batch) -> bool:
    return batch.state == batch_pb2.BATCH_STATE_BLOCKED and not batch.blocked_on.decisions


async def resolve_all(client: GreenlightClient, ledger: Ledger) -> None:
    """As somebody does who looks into the ledger. Such a call has ended since, or the start of its executor has."""
    async for proposal in client.list_proposals(states=UNKNOWN):
        there = ledger.effects[proposal.proposal_id] > 0
        try:
            await client.resolve(
                proposal.proposal_id,
                "succeeded" if there else "run_again",
                "the ledger",
                result={"n": 0} if there else None,
            )
        except GreenlightError as error:
            say(f"not resolved: {error}")


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def wrong(figures: Figures) -> bool:
    short = figures.kills < figures.batches / 10 or figures.reattached == 0
    return short or bool(figures.about) or any(getattr(figures, name) for name in MUST_BE_ZERO)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", choices=get_args(StoreKind), default="sqlite")
    parser.add_argument("--keep", type=Path, help="a new folder for data and output, not deleted afterwards")
    options = parser.parse_args()
    # So that the processes are ended in order, whoever ends this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="greenlight-chaos-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        figures = asyncio.run(chaos(options.batches, options.seed, folder.resolve(), options.store))
    for line in figures.about:
        print(line)
    print(json.dumps(figures.json()))
    return int(wrong(figures))


if __name__ == "__main__":
    sys.exit(main())
