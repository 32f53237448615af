"""An executor's core on a journal in memory that a test may hold, break and open again."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager

from executor_svc.adapters.journal.memory import MemoryJournal
from executor_svc.application.executor import Executor, Identity
from executor_svc.application.journal_writer import JournalWriter
from executor_svc.application.outbox import AcceptedEntry, AttachEntry
from executor_svc.application.pulse import Pace
from executor_svc.application.streams import Stream
from executor_svc.domain.call import Call, Origin
from executor_svc.domain.digest import Digester
from executor_svc.domain.outcome import Outcome
from executor_svc.domain.tool import Effect, Tier, ToolSpec
from executor_svc.ports.journal import Entries, Opened, Written
from executor_svc.ports.tool import RunningCall
from shared.kernel.clock import SystemClock
from shared.kernel.errors import UnavailableError
from shared.kernel.tasks import Supervisor

FULL = UnavailableError("JOURNAL_UNAVAILABLE", "the disk is full", retry_after=1.0)
ORIGIN = Origin("default", "user:ann", "s", "", "batch", {}, b"")


class HeldJournal:
    """A journal whose writes wait while `go` is cleared. `writes`: what was to be written, once it was let through."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.arrived = asyncio.Event()
        self.writes: list[Entries] = []
        self._journal = journal

    async def open(self, boot_id: str, executor_id: str) -> Opened:
        return await self._journal.open(boot_id, executor_id)

    async def close(self, *, at_work: bool = False) -> None:
        await self._journal.close(at_work=at_work)

    async def write(self, entries: Entries) -> Written:
        self.arrived.set()
        await self.go.wait()
        self.writes.append(entries)
        return await self._journal.write(entries)

    async def known_boots(self, boot_ids: Collection[str]) -> set[str]:
        return await self._journal.known_boots(boot_ids)

    async def prune(self, before: int, limit: int) -> int:
        return await self._journal.prune(before, limit)


class GatedTool:
    """Runs until its gate is open; `ran` are the ids of the calls that began."""

    limit = None
    probe = None

    def __init__(self, name: str, effect: Effect) -> None:
        self.spec = ToolSpec(
            name=name,
            version="1",
            description="",
            arguments_schema="{}",
            result_schema=None,
            effect=effect,
            tier=Tier.AUTO,
            timeout=30,
            stall_timeout=None,
            ttl=None,
            concurrency=None,
            result_limit=1000,
            cost=None,
            retry=None,
        )
        self.gate = asyncio.Event()
        self.gate.set()
        self.ran: list[str] = []

    def check(self, arguments: str) -> None:
        pass

    async def run(self, running: RunningCall) -> bytes:
        running.started()
        self.ran.append(running.call.id)
        await self.gate.wait()
        return b'"done"'


class Bench:
    """One start of the executor, with a stream to it, and what came over that."""

    def __init__(self, executor: Executor, journal: HeldJournal, tools: dict[str, GatedTool]) -> None:
        self.executor, self.journal, self.tools = executor, journal, tools
        self.stream: Stream = executor.open_stream()
        self.got: list[object] = []

    def send(self, key: str, tool: str = "pay", arguments: str = "{}") -> str:
        digest = Digester(tool, "1")(arguments)
        call_id = f"batch/{key}/1"
        call = Call(call_id, ORIGIN, tool, "1", arguments, digest, "", 1, "", None, b"")
        self.executor.submit(self.stream, [call])
        return call_id

    @property
    def outcomes(self) -> dict[str, Outcome]:
        return {entry.call_id: entry for entry in self.take() if isinstance(entry, Outcome)}

    @property
    def accepted(self) -> list[AcceptedEntry]:
        return [entry for entry in self.take() if isinstance(entry, AcceptedEntry)]

    @property
    def answers(self) -> list[AttachEntry]:
        return [entry for entry in self.take() if isinstance(entry, AttachEntry)]

    def take(self) -> list[object]:
        while (parcel := self.stream.outbox.take()) is not None:
            self.got += [*parcel.accepted, *parcel.entries]
        return self.got

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await self.stream.outbox.wake.wait()
                self.stream.outbox.wake.clear()

    async def outcome(self, call_id: str) -> Outcome:
        await self.until(lambda: call_id in self.outcomes)
        return self.outcomes[call_id]


@asynccontextmanager
async def started(memory: MemoryJournal, boot_id: str = "boot-1", *, slots: int = 10) -> AsyncGenerator[Bench]:
    """`memory` outlives the start. `pay` is NON_IDEMPOTENT, `look` READ."""
    journal = HeldJournal(memory)
    opened = await journal.open(boot_id, "executor-1")
    writer = JournalWriter(journal, SystemClock(), opened.position)
    tools = {"pay": GatedTool("pay", Effect.NON_IDEMPOTENT), "look": GatedTool("look", Effect.READ)}
    executor = Executor(
        identity=Identity(opened.executor_id, boot_id),
        tools=[*tools.values()],
        slots=slots,
        clock=SystemClock(),
        journal=writer,
        pace=Pace(stop_grace=0.05),
    )
    executor.open()
    try:
        async with Supervisor() as supervisor:
            supervisor.start(writer.run(), "journal")
            yield Bench(executor, journal, tools)
            journal.go.set()
            await executor.drain(0)
    finally:
        executor.close()
        await journal.close()
