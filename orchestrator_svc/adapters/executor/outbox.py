"""What waits to be sent on one stream.

Requests are filled with what is there when the stream is free, and hold no more calls than the slots let through.
Acknowledgements alone wait a moment for something to go with: nobody waits for them, and others do at that moment.
"""

import asyncio
from collections.abc import Iterable, Sequence

from greenlight.executor.v1 import executor_pb2 as pb
from orchestrator_svc.adapters.executor.outgoing import (
    FRAME_CALLS,
    FrameWriter,
    frame_length,
    write_attach,
    write_cancels,
)
from orchestrator_svc.adapters.executor.slots import Slots, ToolUse
from orchestrator_svc.ports.executor import Ask, Call, Cancel

IDS_A_REQUEST = 1_000
ACKNOWLEDGE_AFTER = 0.005
"""s, at the latest."""


class Outbox:
    """Filled from the engine's side, emptied by the stream's writer. A cancel never overtakes its call."""

    def __init__(self, slots: Slots) -> None:
        self.wake = asyncio.Event()
        self._slots = slots
        self._frames = FrameWriter()
        self._calls: list[Call] = []
        self._cancels: list[Cancel] = []
        self._acknowledgements: list[str] = []
        self._attaches: list[pb.Attach] = []
        self._probes: list[Call] = []
        self._probes_sent_to: list[pb.SentTo] = []

    def put_calls(self, calls: Iterable[Call]) -> None:
        self._calls += calls
        self.wake.set()

    def put_cancels(self, cancels: Iterable[Cancel]) -> None:
        self._cancels += cancels
        self.wake.set()

    def put_acknowledgements(self, call_ids: Iterable[str]) -> None:
        if not self._acknowledgements:
            asyncio.get_running_loop().call_later(ACKNOWLEDGE_AFTER, self.wake.set)
        self._acknowledgements += call_ids

    def put_attaches(self, asks: Iterable[Ask]) -> None:
        self._attaches += [write_attach(ask) for ask in asks]
        self.wake.set()

    def put_probe(self, call: Call, sent_to: pb.SentTo) -> None:
        self._probes.append(call)
        self._probes_sent_to.append(sent_to)
        self.wake.set()

    @property
    def holds_calls(self) -> bool:
        return bool(self._calls)

    @property
    def holds_acknowledgements(self) -> bool:
        return bool(self._acknowledgements)

    def take_acknowledgements(self) -> list[str]:
        """Removes those that have not been handed to the transport, and returns them."""
        taken, self._acknowledgements = self._acknowledgements, []
        return taken

    def take_back(self, call_ids: Iterable[str] | None = None) -> list[Call]:
        """Removes calls (None: all) that have not been handed to the transport, and returns them."""
        wanted = None if call_ids is None else set(call_ids)
        taken = [call for call in self._calls if wanted is None or call.id in wanted]
        if taken:
            self._calls = [] if wanted is None else [call for call in self._calls if call.id not in wanted]
        return taken

    def next_request(self) -> pb.ExecuteRequest | None:
        """Takes what goes out next; None: nothing that may go out now."""
        calls = self._next_calls() if self._calls else None
        if not (calls or self._cancels or self._acknowledgements or self._attaches or self._probes):
            return None
        request = pb.ExecuteRequest()
        if calls:
            self._frames.write(calls, request.frame)
        if self._cancels:
            write_cancels(self._cancels[:IDS_A_REQUEST], request)
            del self._cancels[:IDS_A_REQUEST]
        if self._acknowledgements:
            request.acknowledgements.extend(self._acknowledgements[:IDS_A_REQUEST])
            del self._acknowledgements[:IDS_A_REQUEST]
        if self._attaches:
            request.attaches.extend(self._attaches[:IDS_A_REQUEST])
            del self._attaches[:IDS_A_REQUEST]
        if self._probes:
            self._add_probes(request)
        return request

    def _add_probes(self, request: pb.ExecuteRequest) -> None:
        count = frame_length(self._probes[: FRAME_CALLS + 1])
        self._frames.write(self._probes[:count], request.probes)
        request.probes_sent_to.extend(self._probes_sent_to[:count])
        del self._probes[:count], self._probes_sent_to[:count]

    def _next_calls(self) -> Sequence[Call]:
        ready = self._fitting() if self._slots.exceeded else self._calls
        if not ready:
            return ()
        calls = ready[: frame_length(ready[: FRAME_CALLS + 1])]
        if ready is self._calls:
            del self._calls[: len(calls)]
        else:
            self.take_back([call.id for call in calls])
        return calls

    def _fitting(self) -> list[Call]:
        """More is open than granted: of the waiting calls those whose slots are really there."""
        slots = self._slots
        room = slots.total - (len(slots.open) - len(self._calls))
        waiting: dict[ToolUse, int] = {}
        for call in self._calls:
            use = slots.use(call.tool)
            waiting[use] = waiting.get(use, 0) + 1
        fitting: list[Call] = []
        taken: dict[ToolUse, int] = {}
        for call in self._calls:
            use = slots.use(call.tool)
            limit = room if use.limit is None else use.limit - (use.used - waiting[use])
            if len(fitting) < room and taken.get(use, 0) < limit:
                taken[use] = taken.get(use, 0) + 1
                fitting.append(call)
        return fitting
