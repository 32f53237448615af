"""Executors in memory, for tests: tools are plain functions, or calls wait until the test lets them end. No clock, no
task, no sleep; what a real executor would do to slots, attaches, cancels and lost streams happens here the same way."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from orchestrator_svc.adapters.executor.mailbox import Mailbox
from orchestrator_svc.adapters.executor.slots import Slots
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect, ToolDescriptor, ToolKey
from orchestrator_svc.ports.executor import (
    Attached,
    Call,
    ChunkReceived,
    Connected,
    Ended,
    ExecutorView,
    Lost,
    Progressed,
    Signal,
    Started,
    Target,
    ToolsSeen,
)
from shared.kernel.clock import Clock

Run = Callable[[Call], Ending]

_CANCELLED = Failure(FailureClass.CANCELLED, KnownEffect.NONE, "CANCELLED", "cancelled before the tool started")
_UNKNOWN_TOOL = Failure(
    FailureClass.INVALID_ARGUMENT, KnownEffect.NONE, "TOOL_UNKNOWN", "no such tool here", None, True
)


def succeed(result: str = "null") -> Run:
    """A tool that always gives this JSON text."""
    return lambda call: Ending(result, None)


@dataclass(slots=True, eq=False)
class _Held:
    """A call that has come and has not ended."""

    call: Call
    started: bool = False


class Replica:
    """One start of one executor. What the test does to it stands here; `calls` is all that it was ever sent, once each.

    `run` gives a tool's function; without one (or while `manual`) its calls wait for `end` or `release`.
    """

    def __init__(self, owner: "MemoryExecutors", target: Target, tools: Sequence[ToolDescriptor], total: int) -> None:
        self.target = target
        self.tools = {tool.key: tool for tool in tools}
        self.total = total
        self.manual = False
        self.draining = False
        self.connected = False
        self.calls: list[Call] = []
        self.acknowledged: list[str] = []
        self.cancelled: list[str] = []
        self.slots = Slots()
        self.usable: frozenset[ToolKey] = frozenset()
        self.conflicting: list[ToolKey] = []
        self._owner = owner
        self._runs: dict[ToolKey, Run] = {}
        self._held: dict[str, _Held] = {}
        self._ended: dict[str, Ending] = {}
        self._fenced: set[str] = set()

    # What a test says.

    def run(self, name: str, run: Run, version: str = "1") -> None:
        """From now on calls of this tool end at once, with what `run` gives."""
        self._runs[ToolKey(name, version)] = run

    @property
    def held(self) -> list[str]:
        """Ids of the calls that have not ended, oldest first."""
        return list(self._held)

    def start(self, call_id: str, start_time: int = 0) -> None:
        """Says that a held call runs now."""
        self._held[call_id].started = True
        self._tell(call_id, Started(call_id, start_time or self._owner.clock.time_ns()))

    def progress(self, call_id: str, fraction: float | None = None, message: str = "") -> None:
        self._tell(call_id, Progressed(call_id, fraction, message))

    def chunk(self, call_id: str, index: int, chunk: str) -> None:
        self._tell(call_id, ChunkReceived(call_id, index, chunk))

    def end(self, call_id: str, ending: Ending) -> None:
        """Ends a held call."""
        del self._held[call_id]
        self._ended[call_id] = ending
        self._answer(call_id, ending)

    def release(self, call_id: str | None = None) -> None:
        """Lets one held call (None: all) end with what its tool's function gives."""
        for held in list(self._held) if call_id is None else [call_id]:
            call = self._held[held].call
            self.end(held, self._runs.get(call.tool, succeed())(call))

    def grant(self, total: int, limits: dict[ToolKey, int] | None = None) -> None:
        self.total = total
        self.slots.grant(total, limits or {})
        self._owner.mailbox.post_capacity()

    def describe(self, tools: Iterable[ToolDescriptor]) -> None:
        """From now on it has these tools."""
        before, self.tools = self.tools, {tool.key: tool for tool in tools}
        self.usable = frozenset(key for key in self.usable if self.tools.get(key) == before[key])
        if self.connected:
            self._owner.mailbox.post(ToolsSeen(self.target, tuple(self.tools.values())))
            self._owner.mailbox.post_capacity()

    def drain(self) -> None:
        self.draining = True
        self._owner.mailbox.post_capacity()

    def cut(self) -> None:
        """The stream breaks; what runs, runs on."""
        self.connected = False
        self._owner.mailbox.post(Lost(self.target))
        self._owner.mailbox.post_capacity()

    def connect(self) -> None:
        """A new stream to the same start."""
        self.connected, self.slots, self.usable = True, Slots(), frozenset()
        self.slots.grant(self.total, {key: t.concurrency for key, t in self.tools.items() if t.concurrency})
        self._owner.mailbox.post(Connected(self.target))
        self._owner.mailbox.post(ToolsSeen(self.target, tuple(self.tools.values())))
        self._owner.mailbox.post_capacity()

    # What the engine does, by way of `MemoryExecutors`.

    def accept(self, calls: Sequence[Call]) -> None:
        for call in calls:
            if self.slots.take(call.id, call.tool):
                self._accept(call)

    def _accept(self, call: Call) -> None:
        if call.id in self._ended:
            self._answer(call.id, self._ended[call.id])
        elif call.tool not in self.tools:
            self._answer(call.id, Ending(None, _UNKNOWN_TOOL))
        elif call.id not in self._held:
            self.calls.append(call)
            self._held[call.id] = _Held(call)
            if call.tool in self._runs and not self.manual:
                self.release(call.id)

    def cancel(self, call_ids: Sequence[str]) -> None:
        """A held call that has not started ends CANCELLED; one that has started goes on until the test ends it."""
        self.cancelled += call_ids
        for call_id in call_ids:
            held = self._held.get(call_id)
            if held is not None and not held.started:
                self.end(call_id, Ending(None, _CANCELLED))

    def attach(self, call_ids: Sequence[str]) -> None:
        for call_id in call_ids:
            self.slots.take_attached(call_id)
            if call_id in self._held:
                self._owner.mailbox.post(Attached(call_id, "running"))
            elif call_id in self._ended:
                self._owner.mailbox.post(Attached(call_id, "ended"))
                self._answer(call_id, self._ended[call_id])
            else:
                self._fenced.add(call_id)
                self.slots.release(call_id)
                self._owner.mailbox.post(Attached(call_id, "never_seen"))

    def _answer(self, call_id: str, ending: Ending) -> None:
        """Goes unheard unless the call is open on this stream."""
        if self.connected and self.slots.release(call_id):
            self._owner.mailbox.post(Ended(call_id, ending, self._owner.clock.monotonic()))

    def _tell(self, call_id: str, signal: Signal) -> None:
        if self.connected and call_id in self.slots.open:
            self._owner.mailbox.post(signal)

    def view(self) -> ExecutorView:
        return ExecutorView(
            *self.target,
            "memory",
            "0",
            self.connected,
            self.draining,
            sorted(str(key) for key in self.usable),
            sorted(str(key) for key in self.conflicting),
            len(self.slots.open) if self.connected else 0,
            self.total if self.connected else 0,
            0,
            self._owner.clock.time_ns(),
        )


class MemoryExecutors:
    """Implements `Executors`. Without replicas at first: a test adds them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.mailbox = Mailbox()
        self._replicas: dict[Target, Replica] = {}
        self._boots = 0

    def add(
        self, tools: Sequence[ToolDescriptor], *, executor_id: str = "executor-1", boot_id: str = "", slots: int = 100
    ) -> Replica:
        """A new executor, or a new start of one that is there (which is then lost for good)."""
        for replica in list(self._replicas.values()):
            if replica.target.executor_id == executor_id:
                if replica.connected:
                    replica.cut()
                del self._replicas[replica.target]
        self._boots += 1
        target = Target(executor_id, boot_id or f"boot-{self._boots}")
        replica = self._replicas[target] = Replica(self, target, tools, slots)
        replica.connect()
        return replica

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def choose(self, tool: ToolKey) -> tuple[Target, int] | None:
        """The least loaded, the first of them: a test knows where a call goes."""
        free = [replica for replica in self._serving(tool) if replica.slots.free(tool)]
        if not free:
            return None
        chosen = min(free, key=lambda replica: len(replica.slots.open) / replica.total)
        return chosen.target, chosen.slots.free(tool)

    def serves(self, tool: ToolKey) -> bool:
        return bool(self._serving(tool))

    def connected_count(self) -> int:
        return sum(replica.connected for replica in self._replicas.values())

    def send(self, target: Target, calls: Sequence[Call]) -> bool:
        replica = self._connected(target)
        if replica is None or replica.draining:
            return False
        replica.accept(calls)
        return True

    def cancel(self, target: Target, call_ids: Sequence[str]) -> None:
        if replica := self._connected(target):
            replica.cancel(call_ids)

    def acknowledge(self, target: Target, call_ids: Sequence[str]) -> None:
        if replica := self._connected(target):
            replica.acknowledged += call_ids

    def attach(self, target: Target, call_ids: Sequence[str]) -> bool:
        replica = self._connected(target)
        if replica is None:
            return False
        replica.attach(call_ids)
        return True

    def use_tools(self, target: Target, usable: Sequence[ToolKey], conflicting: Sequence[ToolKey]) -> None:
        if replica := self._connected(target):
            replica.usable = frozenset(key for key in usable if key in replica.tools)
            replica.conflicting = list(conflicting)
            self.mailbox.post_capacity()

    async def signals(self) -> list[Signal]:
        return await self.mailbox.take()

    def views(self) -> list[ExecutorView]:
        return sorted((r.view() for r in self._replicas.values()), key=lambda view: (view.executor_id, view.boot_id))

    def _connected(self, target: Target) -> Replica | None:
        replica = self._replicas.get(target)
        return replica if replica is not None and replica.connected else None

    def _serving(self, tool: ToolKey) -> list[Replica]:
        return [
            replica
            for replica in self._replicas.values()
            if replica.connected and not replica.draining and tool in replica.usable
        ]
