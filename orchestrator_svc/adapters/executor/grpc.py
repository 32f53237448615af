"""The executors port over gRPC: one stream to each address behind the executors' names, and the choice among them."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence

from greenlight.executor.v1 import executor_pb2 as pb
from orchestrator_svc.adapters.executor.link import Link
from orchestrator_svc.adapters.executor.looks import whom_to_ask
from orchestrator_svc.adapters.executor.mailbox import Mailbox
from orchestrator_svc.adapters.executor.outbox import ACKNOWLEDGE_AFTER
from orchestrator_svc.adapters.executor.resolver import Endpoint, Resolver
from orchestrator_svc.adapters.executor.stream import Stream
from orchestrator_svc.domain.tool import ToolKey
from orchestrator_svc.ports.executor import Ask, Call, Cancel, Connected, ExecutorView, Lost, Signal, Target
from shared.kernel.clock import Clock
from shared.kernel.tasks import Supervisor

_log = logging.getLogger(__name__)
_GONE_KEPT = 100


class GrpcExecutors:
    """Implements `Executors`. An address that a name no longer stands for keeps its stream until that ends.

    `on_failure`: as the Supervisor's, of what follows the names. A link that dies is made anew.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        incarnation_id: str,
        version: str,
        clock: Clock,
        resolve_interval: float = 5.0,
        on_failure: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        self._resolver = Resolver([Endpoint.parse(address) for address in addresses])
        self._hello = pb.Hello(incarnation_id=incarnation_id, version=version)
        self._clock = clock
        self._interval = resolve_interval
        self._names, self._supervisor = Supervisor(on_failure), Supervisor()
        self._mailbox = Mailbox()
        self._look_again = asyncio.Event()
        self._links: dict[str, tuple[Link, asyncio.Task[None]]] = {}
        self._streams: dict[Target, Stream] = {}
        self._serving: dict[ToolKey, list[Stream]] = {}
        self._differing: frozenset[ToolKey] = frozenset()
        self._gone: dict[str, ExecutorView] = {}
        # Acknowledgements for those that are gone.
        self._unsaid: dict[str, list[str]] = {}

    async def start(self) -> None:
        self._names.start(self._follow_names(), "executors: names")

    async def close(self) -> None:
        """What ended last is acknowledged first, as far as that takes a moment."""
        if any(stream.outbox.holds_acknowledgements for stream in self._streams.values()):
            await asyncio.sleep(2 * ACKNOWLEDGE_AFTER)
        await self._names.stop()
        await self._supervisor.stop()

    def choose(self, tool: ToolKey) -> tuple[Target, int] | None:
        serving = self._serving.get(tool)
        if not serving:
            return None
        stream = serving[0] if len(serving) == 1 else _less_loaded(serving, tool)
        free = stream.slots.free(tool)
        return (stream.target, free) if free else None

    def serves(self, tool: ToolKey) -> bool:
        return tool in self._serving

    def differs(self, tool: ToolKey) -> bool:
        return tool in self._differing

    def connected_count(self) -> int:
        return len(self._streams)

    def send(self, target: Target, calls: Sequence[Call]) -> bool:
        stream = self._streams.get(target)
        return stream is not None and stream.send(calls)

    def cancel(self, target: Target, cancels: Sequence[Cancel]) -> None:
        if stream := self._streams.get(target):
            stream.cancel(cancels)

    def acknowledge(self, target: Target, call_ids: Sequence[str]) -> None:
        if stream := self._streams.get(target):
            stream.outbox.put_acknowledgements(call_ids)
        elif target.executor_id in self._gone:
            self._unsaid.setdefault(target.executor_id, []).extend(call_ids)

    def attach(self, target: Target, asks: Sequence[Ask]) -> bool:
        stream = self._streams.get(target)
        if stream is None:
            return False
        stream.attach(asks)
        return True

    def probe(self, call: Call, sent_to: Target, position: int, but: Target | None = None) -> Target | None:
        able = {stream.target: stream for stream in self._streams.values() if stream.can_probe(call.tool)}
        if not able:
            return None
        chosen = whom_to_ask(list(able), sent_to, but)
        able[chosen].probe(call, sent_to.boot_id, position)
        return chosen

    def use_tools(self, target: Target, usable: Sequence[ToolKey], conflicting: Sequence[ToolKey]) -> None:
        if stream := self._streams.get(target):
            stream.use_tools(usable, conflicting)
            self.changed()

    async def signals(self) -> list[Signal]:
        return await self._mailbox.take()

    def views(self) -> list[ExecutorView]:
        views = [stream.view(connected=True) for stream in self._streams.values()]
        connected = {view.executor_id for view in views}
        views += [view for view in self._gone.values() if view.executor_id not in connected]
        return sorted(views, key=lambda view: (view.executor_id, view.boot_id))

    # What the links tell.

    def opened(self, stream: Stream) -> bool:
        if stream.target in self._streams:
            return False
        self._streams[stream.target] = stream
        self._gone.pop(stream.target.executor_id, None)
        stream.outbox.put_acknowledgements(self._unsaid.pop(stream.target.executor_id, ()))
        _log.info("connected: %s", stream)
        self._mailbox.post(Connected(stream.target))
        return True

    def changed(self) -> None:
        serving: dict[ToolKey, list[Stream]] = {}
        for stream in self._streams.values():
            if not stream.draining:
                for tool in stream.usable:
                    serving.setdefault(tool, []).append(stream)
        self._serving = serving
        self._differing = frozenset(tool for stream in self._streams.values() for tool in stream.conflicting)
        self._mailbox.post_capacity()

    def ended(self, stream: Stream) -> None:
        del self._streams[stream.target]
        executor_id = stream.target.executor_id
        self._gone.pop(executor_id, None)
        self._gone[executor_id] = stream.view(connected=False)
        if len(self._gone) > _GONE_KEPT:
            longest = next(iter(self._gone))
            del self._gone[longest]
            self._unsaid.pop(longest, None)
        self.acknowledge(stream.target, stream.outbox.take_acknowledgements())
        _log.info("disconnected: %s", stream)
        self._mailbox.post(Lost(stream.target))
        self.changed()
        self._look_again.set()

    async def _follow_names(self) -> None:
        while True:
            self._look_again.clear()
            self._follow(await self._resolver.resolve())
            try:
                async with asyncio.timeout(self._interval):
                    await self._look_again.wait()
                await asyncio.sleep(min(0.1, self._interval))
            except TimeoutError:
                pass

    def _follow(self, addresses: Mapping[str, Endpoint]) -> None:
        for address, (link, task) in list(self._links.items()):
            link.wanted = address in addresses
            if not link.wanted and link.stream is None:
                self._supervisor.cancel(task)
                del self._links[address]
            elif task.done():
                del self._links[address]
        for address, endpoint in addresses.items():
            if address not in self._links:
                link = Link(address, str(endpoint), self._hello, self._mailbox, self, self._clock)
                self._links[address] = (link, self._supervisor.start(link.run(), f"executors: {address}"))


def _less_loaded(serving: Sequence[Stream], tool: ToolKey) -> Stream:
    """The less loaded of two random ones; where one of those is full, of two that are not."""
    one, other = random.sample(serving, 2)
    if not (one.slots.free(tool) and other.slots.free(tool)):
        free = [stream for stream in serving if stream.slots.free(tool)]
        if len(free) < 2:
            return free[0] if free else one
        one, other = random.sample(free, 2)
    return min(one, other, key=_load)


def _load(stream: Stream) -> float:
    return len(stream.slots.open) / max(1, stream.slots.total)
