"""The orchestrator is stopped before and after its n-th commit, for every n, and started again on the same store."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.engines import writer_engine
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.adapters.store.migrating import migrate
from orchestrator_svc.adapters.store.sqlite import SqliteStore
from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import FailureClass, KnownEffect
from orchestrator_svc.ports.store import Store
from shared.kernel.clock import SystemClock
from shared.kernel.tasks import Supervisor
from tests.support.crashing_store import CrashingStore, Moment
from tests.support.drill import Drill
from tests.support.engine_world import failed, spec

FROM_P = '{"x":{"$from":"p","path":"/n"}}'


async def mixed(drill: Drill) -> None:
    """Every tier and effect, references, decisions one after the other."""
    batch_id = await drill.submit(
        spec("read", "p"),
        spec("note", "n", "p"),
        spec("pay", "x", arguments=FROM_P),
        spec("send", "s"),
        spec("write", "w", arguments=FROM_P),
        spec("read", "r", "x?", "y?"),
        spec("pay", "y"),
    )
    await drill.work()
    await drill.decide(batch_id, "n")
    await drill.work()
    await drill.decide(batch_id, "y", Verdict.REJECT)
    await drill.decide(batch_id, "x")
    await drill.work()


async def retries(drill: Drill) -> None:
    """Backoffs of each effect."""
    await drill.submit(spec("read", "a"), spec("write", "w"), spec("send", "s"), spec("read", "b", "a", "w", "s"))
    for _ in range(5):
        await drill.work(3)


async def edited_and_cancelled(drill: Drill) -> None:
    """An edit, a proposal cancelled, a batch cancelled while it runs."""
    batch_id = await drill.submit(spec("pay", "e"), spec("note", "c"), spec("read", "d", "e"), spec("read", "f", "c?"))
    await drill.decide(batch_id, "e", edited='{"y":2}')
    await drill.cancel(batch_id, "c")
    await drill.work()
    other = await drill.submit(spec("send", "s"), spec("read", "r"), spec("pay", "y"), spec("write", "w"))
    await drill.settle()
    await drill.cancel(other)
    await drill.work()


async def growing(drill: Drill) -> None:
    """An open batch that is added to while it runs, then closed."""
    batch_id = await drill.submit(spec("read", "p"), open=True)
    await drill.settle()
    await drill.add(batch_id, spec("write", "w", arguments=FROM_P), spec("send", "s", "p"))
    await drill.work()
    await drill.add(batch_id, spec("pay", "x", arguments=FROM_P), spec("read", "r", "s", "x?"), close=True)
    await drill.work()
    await drill.decide(batch_id, "x")
    await drill.work()


async def by_hand(drill: Drill) -> None:
    """A failure that is tried again by hand, an outcome that somebody finds out."""
    batch_id = await drill.submit(
        spec("read", "a"), spec("write", "b", "a"), spec("send", "u"), spec("read", "c", "u"), spec("pay", "y", "a?")
    )
    await drill.work()
    await drill.retry(batch_id)
    await drill.work()
    await drill.resolve(f"{batch_id}/u")
    await drill.decide(batch_id, "y")
    await drill.work()


async def large(drill: Drill) -> None:
    """A submission of several transactions, with a neighbour."""
    await drill.submit(*[spec("read") for _ in range(140)])
    await drill.submit(spec("send", "s"))
    await drill.work()


SCRIPTS: dict[str, dict[str, list[Ending]]] = {
    "retries": {
        "a": [failed(), failed(FailureClass.TIMEOUT, KnownEffect.POSSIBLE)],
        "w": [failed(FailureClass.RATE_LIMITED)],
        "s": [failed(FailureClass.UNAVAILABLE, refused=True), failed()],
    },
    "by_hand": {
        "a": [failed(FailureClass.PERMANENT)],
        "u": [failed(FailureClass.TIMEOUT, KnownEffect.POSSIBLE)],
    },
}
SCENARIOS: list[Callable[[Drill], Awaitable[None]]] = [mixed, retries, edited_and_cancelled, growing, by_hand, large]


class Disk(ABC):
    """What outlives a stop."""

    @abstractmethod
    def open(self) -> Store: ...


class MemoryDisk(Disk):
    def __init__(self) -> None:
        self._store = MemoryStore(ProtobufEventCodec())

    def open(self) -> Store:
        return self._store


class SqliteDisk(Disk):
    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> Store:
        return SqliteStore(self._path, ProtobufEventCodec(), SystemClock())


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    engine = writer_engine(path)
    migrate(engine, str(path))
    engine.dispose()
    return path.read_bytes()


async def stop_at(drill: Drill, scenario: Callable[[Drill], Awaitable[None]], store: CrashingStore) -> bool:
    """Whether it was stopped before the scenario's end."""
    async with drill.start(store), Supervisor() as tasks:
        told = tasks.start(store.crashed.wait(), "crash")
        played = tasks.start(_play(scenario, drill), "scenario")
        await asyncio.wait({told, played}, return_when=asyncio.FIRST_COMPLETED)
        if played.done():
            played.result()
        return store.crashed.is_set()


async def _play(scenario: Callable[[Drill], Awaitable[None]], drill: Drill) -> None:
    await scenario(drill)


async def check_after(drill: Drill, store: Store) -> None:
    async with drill.start(CrashingStore(store)):
        await drill.check_nothing_is_lost()
        await drill.submit_again()
        assert len(await drill.all()) == len(drill.submissions)
        await drill.finish()
        await drill.check_nothing_is_lost()
        await drill.check_history()


async def every_commit(
    scenario: Callable[[Drill], Awaitable[None]], moment: Moment, disk: Callable[[int], Disk], survives: bool
) -> int:
    """Returns how many commits there were."""
    number = 0
    while True:
        number += 1
        drill = Drill(SCRIPTS.get(scenario.__name__))
        kept = disk(number)
        store = kept.open()
        stopped = await stop_at(drill, scenario, CrashingStore(store, number, moment))
        await store.close()
        if not survives:
            drill.replace_executor()
        store = kept.open()
        await check_after(drill, store)
        await store.close()
        if not stopped:
            return number - 1


@pytest.mark.parametrize("survives", [True, False], ids=["same_executor", "new_executor"])
@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_in_memory(scenario: Callable[[Drill], Awaitable[None]], moment: Moment, survives: bool) -> None:
    assert await every_commit(scenario, moment, lambda _: MemoryDisk(), survives) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_in_a_file(
    scenario: Callable[[Drill], Awaitable[None]], moment: Moment, migrated: bytes, tmp_path: Path
) -> None:
    def disk(number: int) -> Disk:
        path = tmp_path / f"{number}.db"
        path.write_bytes(migrated)
        return SqliteDisk(path)

    assert await every_commit(scenario, moment, disk, survives=True) >= 3
