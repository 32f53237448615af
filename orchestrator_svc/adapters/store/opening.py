"""Which store it is: PostgreSQL where an address is given, else the SQLite file in the data folder."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from orchestrator_svc.adapters.store.postgresql import PostgresqlStore
from orchestrator_svc.adapters.store.postgresql_engines import parse_url
from orchestrator_svc.adapters.store.sqlite import SqliteStore
from orchestrator_svc.ports.codec import EventCodec
from orchestrator_svc.ports.store import Incarnation, Store
from shared.kernel.clock import Clock
from shared.kernel.errors import UnavailableError
from shared.kernel.tasks import Supervisor

DATABASE = "greenlight.db"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreChoice:
    """`address`: of a PostgreSQL database; '': the file in `folder`. `standby`: waits for who has that to be gone."""

    address: str
    folder: Path
    standby: bool

    def make(self, codec: EventCodec, clock: Clock) -> PostgresqlStore | SqliteStore:
        """Raises InvalidError (STORE_INVALID), UnavailableError (STORE_UNAVAILABLE)."""
        if self.address:
            if self.standby:
                _log.warning("standing by is needless: orchestrators on one PostgreSQL database work at the same time")
            return PostgresqlStore(parse_url(self.address), codec, clock)
        _make_folder(self.folder)
        return SqliteStore(self.folder / DATABASE, codec, clock, standby=self.standby)


class StoppedError(Exception):
    """It was told to stop before it had a store."""


async def start_unless(stopped: asyncio.Event, store: Store, incarnation: Incarnation) -> None:
    """One that stands by may wait for ever: that ends with StoppedError as soon as `stopped` is set."""
    task = asyncio.current_task()
    assert task is not None

    async def end() -> None:
        await stopped.wait()
        task.cancel()

    try:
        async with Supervisor() as waiting:
            waiting.start(end(), "signal")
            await store.start(incarnation)
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise
        task.uncancel()
        raise StoppedError from None


def _make_folder(path: Path) -> None:
    """Its owner's alone: arguments and results may be secret. One that is there stays as it is."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError("STORE_UNAVAILABLE", f"no data folder can be had at {path}: {error.strerror}") from error
