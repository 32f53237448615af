"""Executors in memory, for tests of whatever stands on the executors port: what a test does to them is `Replica`'s."""

from collections.abc import Sequence

from orchestrator_svc.adapters.executor.looks import whom_to_ask
from orchestrator_svc.adapters.executor.mailbox import Mailbox
from orchestrator_svc.adapters.executor.memory_journal import Journal
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.domain.tool import ToolDescriptor, ToolKey
from orchestrator_svc.ports.executor import Ask, Call, Cancel, ExecutorView, Signal, Target
from shared.kernel.clock import Clock


class MemoryExecutors:
    """Implements `Executors`. Without replicas at first: a test adds them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mailbox = Mailbox()
        self._replicas: dict[Target, Replica] = {}
        self._journals: dict[str, Journal] = {}
        self._boots = 0

    def add(
        self,
        tools: Sequence[ToolDescriptor],
        *,
        executor_id: str = "executor-1",
        slots: int = 100,
        journal_lost: bool = False,
    ) -> Replica:
        """A new executor, connected; or a new start of one that is there, whose earlier start is lost for good."""
        replica = self.prepare(tools, executor_id=executor_id, slots=slots, journal_lost=journal_lost)
        replica.connect()
        return replica

    def prepare(
        self,
        tools: Sequence[ToolDescriptor],
        *,
        executor_id: str = "executor-1",
        slots: int = 100,
        journal_lost: bool = False,
    ) -> Replica:
        """As `add`, not connected yet. `journal_lost`: what it knew of calls across its starts is gone."""
        for replica in [replica for replica in self._replicas.values() if replica.target.executor_id == executor_id]:
            if replica.connected:
                replica.cut()
            del self._replicas[replica.target]
        self._boots += 1
        target = Target(executor_id, f"boot-{self._boots}")
        if journal_lost or executor_id not in self._journals:
            self._journals[executor_id] = Journal()
        journal = self._journals[executor_id]
        replica = self._replicas[target] = Replica(target, tools, slots, journal, self._mailbox, self._clock)
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
        chosen = min(free, key=lambda replica: len(replica.slots.open) / replica.slots.total)
        return chosen.target, chosen.slots.free(tool)

    def serves(self, tool: ToolKey) -> bool:
        return bool(self._serving(tool))

    def differs(self, tool: ToolKey) -> bool:
        return any(replica.connected and tool in replica.conflicting for replica in self._replicas.values())

    def connected_count(self) -> int:
        return sum(replica.connected for replica in self._replicas.values())

    def send(self, target: Target, calls: Sequence[Call]) -> bool:
        replica = self._connected(target)
        return replica is not None and replica.send(calls)

    def cancel(self, target: Target, cancels: Sequence[Cancel]) -> None:
        if replica := self._connected(target):
            replica.cancel(cancels)

    def acknowledge(self, target: Target, call_ids: Sequence[str]) -> None:
        if target in self._replicas:
            self._replicas[target].acknowledged += call_ids

    def attach(self, target: Target, asks: Sequence[Ask]) -> bool:
        replica = self._connected(target)
        if replica is None:
            return False
        replica.attach(asks)
        return True

    def probe(self, call: Call, sent_to: Target, position: int, but: Target | None = None) -> Target | None:
        able = {replica.target: replica for replica in self._serving(call.tool) if replica.tools[call.tool].probes}
        if not able:
            return None
        chosen = whom_to_ask(list(able), sent_to, but)
        able[chosen].look(call, sent_to.boot_id, position)
        return chosen

    def use_tools(self, target: Target, usable: Sequence[ToolKey], conflicting: Sequence[ToolKey]) -> None:
        if replica := self._connected(target):
            replica.usable = frozenset(key for key in usable if key in replica.tools)
            replica.conflicting = list(conflicting)
            self._mailbox.post_capacity()

    async def signals(self) -> list[Signal]:
        return await self._mailbox.take()

    def views(self) -> list[ExecutorView]:
        views = [replica.view() for replica in self._replicas.values()]
        return sorted(views, key=lambda view: (view.executor_id, view.boot_id))

    def _connected(self, target: Target) -> Replica | None:
        replica = self._replicas.get(target)
        return replica if replica is not None and replica.connected else None

    def _serving(self, tool: ToolKey) -> list[Replica]:
        return [
            replica
            for replica in self._replicas.values()
            if replica.connected and not replica.draining and tool in replica.usable
        ]
