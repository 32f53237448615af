"""The two worlds that the executors port is tested in: memory, and gRPC to real executors behind cuttable proxies."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from executor_svc.bootstrap import serving
from executor_svc.settings import Settings
from orchestrator_svc.adapters.executor.grpc import GrpcExecutors
from orchestrator_svc.adapters.executor.memory import MemoryExecutors
from orchestrator_svc.adapters.executor.memory_replica import fail
from orchestrator_svc.domain.probing import Look
from orchestrator_svc.domain.proposal import Finding
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Effect, Failure, FailureClass, KnownEffect, Tier, ToolDescriptor, ToolKey
from orchestrator_svc.ports.executor import Call, Executors
from shared.kernel.clock import SystemClock
from tests.support.names import Name
from tests.support.proxy import CuttableProxy
from tests.support.toolboxes import gates


class Member(Protocol):
    """One executor with the tools of `tests.support.toolboxes.gates`."""

    async def open_gate(self, gate: str) -> None:
        """Calls that wait there go on."""
        ...

    async def cut(self) -> None:
        """The connection breaks, and does not come back before `reconnect`."""
        ...

    async def reconnect(self) -> None: ...

    async def stop(self) -> None:
        """This start is over, for good."""
        ...

    async def restart(self) -> None:
        """This start is over, and another of the same executor begins."""
        ...

    async def drain(self) -> None:
        """Begins to shut down while calls run."""
        ...

    async def remind(self, call_id: str) -> None:
        """Nobody has acknowledged for long how that one ended."""
        ...

    def ran(self) -> list[str]:
        """Ids of the calls that `echo` ran."""
        ...


class World(Protocol):
    executors: Executors

    async def add(self, slots: int = 8) -> Member: ...


class GrpcMember:
    def __init__(self, name: Name, slots: int, data: Path) -> None:
        self._name = name
        self._settings = Settings.model_validate(
            {
                "listen": "127.0.0.1:0",
                "toolbox": ["tests.support.toolboxes.gates"],
                "slots": slots,
                "drain_grace": 5.0,
                "reminder_after": 0.2,
                "data": data,
            }
        )
        self._stack = AsyncExitStack()
        self._draining: asyncio.Task[None] | None = None

    async def start(self) -> None:
        service = await self._stack.enter_async_context(serving(self._settings))
        self._executor = service.executor
        self._proxy = await self._stack.enter_async_context(CuttableProxy(service.address))
        self._name.addresses.append(self._proxy.address)

    async def open_gate(self, gate: str) -> None:
        gates.open_gate(gate)

    async def cut(self) -> None:
        self._proxy.refusing = True
        await self._proxy.cut()

    async def reconnect(self) -> None:
        self._proxy.refusing = False

    async def stop(self) -> None:
        if self._proxy.address in self._name.addresses:
            self._name.addresses.remove(self._proxy.address)
            await self._proxy.cut()
            if self._draining is not None:
                await self._draining
            await self._stack.aclose()

    async def restart(self) -> None:
        await self.stop()
        self._stack = AsyncExitStack()
        await self.start()

    async def drain(self) -> None:
        self._draining = asyncio.get_running_loop().create_task(self._executor.drain(5.0))

    async def remind(self, call_id: str) -> None:
        """It does so by itself."""

    def ran(self) -> list[str]:
        return gates.runs


class GrpcWorld:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        gates.reset()
        self._folder = folder
        self._name = Name.install(monkeypatch)
        self._members: list[GrpcMember] = []
        self.executors: Executors = GrpcExecutors(
            ["executors:1"], incarnation_id="i", version="0", clock=SystemClock(), resolve_interval=0.02
        )

    async def add(self, slots: int = 8) -> Member:
        member = GrpcMember(self._name, slots, self._folder / str(len(self._members)))
        self._members.append(member)
        await member.start()
        return member

    async def close(self) -> None:
        for gate in ("a", "b", "c"):
            gates.open_gate(gate)
        await self.executors.close()
        for member in self._members:
            await member.stop()


_NOT_TODAY = Failure(FailureClass.PERMANENT, KnownEffect.NONE, "NOT_TODAY", "not today")


class MemoryMember:
    def __init__(self, executors: MemoryExecutors, executor_id: str, slots: int) -> None:
        self._executors, self._executor_id, self._slots = executors, executor_id, slots
        self._open: set[str] = set()
        self._calls: list[str] = []
        self._begin()

    def _begin(self) -> None:
        replica = self._replica = self._executors.add(_TOOLS, executor_id=self._executor_id, slots=self._slots)
        replica.run("echo", self._echo)
        replica.run("refuse", fail(_NOT_TODAY))
        replica.on_held = self._on_held
        replica.probe("wait", _look)

    def _echo(self, call: Call) -> Ending:
        self._calls.append(call.id)
        return Ending(json.dumps({"value": json.loads(call.arguments).get("value")}), None, 1, 0, 0)

    def _on_held(self, call_id: str) -> None:
        replica = self._replica
        call = next(call for call in replica.received if call.id == call_id)
        replica.start(call_id)
        if call.tool.name == "talk":
            replica.progress(call_id, 0.5, "half")
            replica.chunk(call_id, 0, '{"part":1}')
        if _gate(call) in self._open:
            self._end(call)

    async def open_gate(self, gate: str) -> None:
        self._open.add(gate)
        for call in list(self._replica.received):
            if call.id in self._replica.held and _gate(call) == gate:
                self._end(call)

    def _end(self, call: Call) -> None:
        self._replica.end(call.id, Ending(json.dumps(_gate(call)), None, 1, 0, 0))

    async def cut(self) -> None:
        self._replica.cut()

    async def reconnect(self) -> None:
        self._replica.connect()

    async def stop(self) -> None:
        if self._replica.connected:
            self._replica.cut()

    async def restart(self) -> None:
        await self.stop()
        self._begin()

    async def drain(self) -> None:
        self._replica.drain()

    async def remind(self, call_id: str) -> None:
        self._replica.remind(call_id)

    def ran(self) -> list[str]:
        return self._calls


def _look(call: Call) -> Look:
    gate = _gate(call)
    if gate == "dark":
        return Look(Finding.FAILED, message="it is dark")
    return Look(Finding.FOUND, json.dumps(call.idempotency_key)) if gate == "found" else Look(Finding.NOT_FOUND)


def _gate(call: Call) -> str:
    return str(json.loads(call.arguments)["gate"])


def _tool(name: str, effect: Effect = Effect.READ, concurrency: int = 0) -> ToolDescriptor:
    return ToolDescriptor(ToolKey(name, "1"), "", "{}", "", effect, Tier.AUTO, concurrency=concurrency)


_TOOLS = [
    _tool("echo"),
    _tool("limited", concurrency=2),
    _tool("refuse"),
    _tool("talk"),
    replace(_tool("wait", Effect.NON_IDEMPOTENT), probes=True),
]


class MemoryWorld:
    def __init__(self) -> None:
        self._memory = MemoryExecutors(SystemClock())
        self._count = 0
        self.executors: Executors = self._memory

    async def add(self, slots: int = 8) -> Member:
        self._count += 1
        return MemoryMember(self._memory, f"executor-{self._count}", slots)


async def open_world(kind: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[World]:
    if kind == "memory":
        yield MemoryWorld()
        return
    world = GrpcWorld(monkeypatch, folder)
    await world.executors.start()
    try:
        yield world
    finally:
        await world.close()
