"""One scenario, stopped at one boundary (or two), gone on with, and looked at."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.store import Store
from shared.kernel.errors import UnavailableError
from tests.recovery.scenarios import Scenario
from tests.support.aftermath import check, check_acknowledged, finish
from tests.support.crashing_store import CrashingStore
from tests.support.disks import Disk
from tests.support.drill import Drill, Play
from tests.support.fuse import Fuse
from tests.support.workshop import Workshop
from tests.support.world import World


class Fall(Enum):
    """Who is stopped: the orchestrator, its executor, or both. In between calls run on, or end and nobody hears it."""

    ORCHESTRATOR = "orchestrator"
    CALLS_END = "orchestrator_while_calls_end"
    BOTH = "both"
    EXECUTOR = "executor"


@dataclass(frozen=True, slots=True)
class Stop:
    """`at`: the boundary; 0: none. `again`: the boundary of the start after it. `spoil_*`: makes it worse.

    `journal`: whether a start of the executor has that of the one before it. `of`: a name; only boundaries of that name
    are counted.
    """

    fall: Fall = Fall.ORCHESTRATOR
    at: int = 0
    again: int = 0
    seed: int = 0
    journal: bool = True
    of: str = ""
    spoil_store: Callable[[Store], Store] = field(default=lambda store: store)
    spoil_world: Callable[[World], None] = field(default=lambda world: None)
    spoil_tools: Callable[[Workshop], None] = field(default=lambda tools: None)


async def run(scenario: Scenario, stop: Stop, disk: Disk) -> list[str]:
    """Returns the boundaries that were passed. Raises AssertionError where something does not hold."""
    random.seed(stop.seed)  # the back-offs'
    drill = Drill(scenario.script, scenario.talks, stop.seed, scenario.keep)
    drill.adorn = stop.spoil_world
    drill.tools.keeps_journal = stop.journal
    stop.spoil_tools(drill.tools)
    fuse = Fuse(stop.at, drill.tools.die if stop.fall is Fall.EXECUTOR else None, stop.of)

    async def to_the_end(drill: Drill) -> None:
        await scenario.play(drill)
        await finish(drill)

    try:
        for play in scenario.earlier:
            await _live(drill, stop, disk, Fuse(1, of="before acknowledge"), play)
        late = await _live(drill, stop, disk, fuse, to_the_end)
        _between(drill, stop.fall)
        if stop.again:
            await _live(drill, stop, disk, Fuse(stop.again), _go_on)
        await _live(drill, stop, disk, Fuse(), lambda drill: _end(drill, late))
    except Exception as error:
        error.add_note(f"{stop.fall}, boundary {stop.at} {stop.of} ({fuse.where}), then {stop.again}, seed {stop.seed}")
        raise
    return fuse.passed


async def _live(drill: Drill, stop: Stop, disk: Disk, fuse: Fuse, play: Play) -> CrashingStore:
    inner = disk.open(drill.clock)
    store = CrashingStore(stop.spoil_store(inner), fuse)
    try:
        await drill.live(store, play)
    finally:
        await inner.close()
    return store


def _between(drill: Drill, fall: Fall) -> None:
    if fall is Fall.CALLS_END:
        drill.tools.end_all()
    elif fall is Fall.BOTH:
        drill.tools.die()


async def _go_on(drill: Drill) -> None:
    await check_acknowledged(drill)
    await drill.ask_again()
    await finish(drill)


async def _end(drill: Drill, stopped: CrashingStore) -> None:
    """What the stopped one would have written, or sent, comes late, before and after, and is refused."""
    drill.tools.come_late(drill.unsent)
    late = stopped.unwritten
    await _write_on(stopped)
    await _come_late(drill, [write for write in late if not write.created])
    await _go_on(drill)
    await check(drill)
    await _come_late(drill, [write for write in late if write.created])
    await _write_on(stopped)
    await check(drill)


async def _write_on(stopped: CrashingStore) -> None:
    """It was only paused, and goes on where it was: on a store that several work on, its own connection is as good as
    anybody's. If it writes anything, that shows in the checks."""
    if stopped.unwritten and stopped.port.shared:
        try:
            await stopped.inner.commit(stopped.unwritten)
        except UnavailableError as error:
            if "another orchestrator has taken over" not in error.message:
                raise
        finally:
            await stopped.inner.close()


async def _come_late(drill: Drill, writes: Sequence[BatchWrite]) -> None:
    """What had something to run is another start's by now. What rests may be nobody's, and as it was: there the end of
    the start alone guards, by the fence of each of its transactions, or because the lock on its file is another's."""
    moving = {batch.id for batch in await drill.all() if batch.state in (BatchState.RUNNING, BatchState.CANCELLING)}
    taken = [write for write in writes if write.batch.id in moving]
    if taken:
        committed = await drill.world.store.commit(taken)
        assert committed.lost == {write.batch.id for write in taken}, "the stopped one still wrote"
