"""The processes of a run, each on a port of its own that it keeps, and the links between them, which can be cut.

Two orchestrators on one store, each with links of its own to both executors, and to PostgreSQL. There both are active,
and clients come to both. On SQLite only one is, and clients come by a front that leads to that one, as a load balancer
does that looks at their health.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.bench.processes import environment, free_port, python
from tests.chaos.database import Database
from tests.chaos.services import Service
from tests.chaos.toolbox import LEDGER
from tests.support.postgresql import postgres_server
from tests.support.proxy import CuttableProxy

WINDOW = 4.0
"""Seconds that a lost executor has to come back; longer than any cut or start here that is not to outlast it."""
CANCEL_GRACE = 5.0
LEASE = 2.0
ORCHESTRATORS = ("orchestrator-1", "orchestrator-2")
EXECUTORS = ("executor-1", "executor-2")
StoreKind = Literal["sqlite", "postgresql"]


@dataclass(slots=True)
class Link:
    """Between two of them, or a client and one of them."""

    ends: frozenset[str]
    proxy: CuttableProxy


class Fleet:
    """`addresses`: where clients may come. `who`: the parts that faults hit, of which a role's holder may change.

    `excused`: errors with which a service may end by itself.
    """

    def __init__(self, folder: Path, ledger: Path, database: Database | None) -> None:
        self.folder, self.database = folder, database
        self._ledger = ledger
        self.links: list[Link] = []
        self.services: dict[str, Service | Database] = {} if database is None else {database.name: database}
        self.addresses: list[str] = []
        # Who has lost its database, or that it may write there, ends, and is started anew.
        self.excused = [] if database is None else ["STORE_TAKEN", "STORE_UNAVAILABLE"]
        self.shared = database is not None
        self.who = (
            ("active", "standby", *EXECUTORS) if database is None else (*ORCHESTRATORS, *EXECUTORS, database.name)
        )

    def named(self, who: str) -> str:
        """The name of the service that now is that."""
        if who not in ("active", "standby"):
            return who
        serving = [each.name for each in self._orchestrators() if each.serving]
        active = serving[0] if serving else ORCHESTRATORS[0]
        return active if who == "active" else next(name for name in ORCHESTRATORS if name != active)

    def journal(self, executor: str) -> Path:
        return self.folder / f"{executor}-data" / "journal.db"

    async def cut(self, name: str) -> None:
        """Its links break, and stay so until they are mended."""
        links = [link.proxy for link in self.links if name in link.ends]
        for proxy in links:
            proxy.refusing = True
        await asyncio.gather(*(proxy.cut() for proxy in links))

    def mend(self, name: str) -> None:
        for link in self.links:
            if name in link.ends:
                link.proxy.refusing = False

    async def start(self, stack: AsyncExitStack) -> None:
        executors = [self._executor(name) for name in EXECUTORS]
        for service in executors:
            await self._enter(stack, service)
        fronts: dict[str, CuttableProxy] = {}
        for name in ORCHESTRATORS:
            port = free_port()
            calls = [await self._link(stack, name, each.name, each.address) for each in executors]
            store = ""
            if self.database is not None:
                rows = await self._link(stack, name, self.database.name, self.database.address)
                store = self.database.url(rows.address)
            fronts[name] = await self._link(stack, name, "clients", f"127.0.0.1:{port}")
            await self._enter(stack, self._orchestrator(name, port, [each.address for each in calls], store))
        if self.shared:
            self.addresses = [front.address for front in fronts.values()]
        else:
            front = await stack.enter_async_context(CuttableProxy(lambda: self._active(fronts)))
            self.addresses = [front.address]

    def _active(self, fronts: dict[str, CuttableProxy]) -> str:
        return next((fronts[each.name].address for each in self._orchestrators() if each.serving), "")

    def _orchestrators(self) -> list[Service]:
        found = [self.services.get(name) for name in ORCHESTRATORS]
        return [each for each in found if isinstance(each, Service)]

    async def _enter(self, stack: AsyncExitStack, service: Service) -> None:
        await stack.enter_async_context(service)
        self.services[service.name] = service

    async def _link(self, stack: AsyncExitStack, one: str, other: str, address: str) -> CuttableProxy:
        proxy = await stack.enter_async_context(CuttableProxy(address))
        self.links.append(Link(frozenset((one, other)), proxy))
        return proxy

    def _executor(self, name: str) -> Service:
        port = free_port()
        command = python("-m", "executor_svc", "--listen", f"127.0.0.1:{port}", "--toolbox", "tests.chaos.toolbox")
        command += ["--data", str(self.journal(name).parent), "--drain-grace", "0"]
        # Soon, so that what killed orchestrators left is brought to the record while others are killed.
        env = environment(**{LEDGER: str(self._ledger)}, GREENLIGHT_EXECUTOR_REMINDER_AFTER="1")
        return Service(name, port, command, self.folder, env)

    def _orchestrator(self, name: str, port: int, executors: list[str], store: str) -> Service:
        command = python("-m", "orchestrator_svc", "--listen", f"127.0.0.1:{port}", "--drain-grace", "0")
        command += ["--executors", ",".join(executors), "--data", str(self.folder / "data")]
        command += [] if self.shared else ["--standby"]
        env = environment(
            GREENLIGHT_STORE=store,
            GREENLIGHT_LEASE_PERIOD=str(LEASE),
            GREENLIGHT_REATTACH_WINDOW=str(WINDOW),
            GREENLIGHT_CANCEL_GRACE=str(CANCEL_GRACE),
            GREENLIGHT_RETRY_ATTEMPTS="10",
            GREENLIGHT_RETRY_INITIAL_DELAY="0.2",
            GREENLIGHT_RETRY_MAX_DELAY="1",
            GREENLIGHT_RESOLVE_INTERVAL="0.2",
            GREENLIGHT_PROBE_MAX_DELAY="2",
        )
        return Service(name, port, command, self.folder, env)


@asynccontextmanager
async def fleet(folder: Path, ledger: Path, store: StoreKind) -> AsyncGenerator[Fleet]:
    async with AsyncExitStack() as stack:
        database = Database(stack.enter_context(postgres_server())) if store == "postgresql" else None
        made = Fleet(folder, ledger, database)
        await made.start(stack)
        yield made
