"""One executor in memory: what it was sent, what it does with it, and what a test lets happen to it.

Refuses, remembers and fences as a real executor does. Nothing happens by itself: no clock, no task, no sleep.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from orchestrator_svc.adapters.executor.mailbox import Mailbox
from orchestrator_svc.adapters.executor.memory_failures import (
    CANCELLED,
    FENCED,
    LOST,
    REUSED_ID,
    STOPPED,
    SUPERSEDED,
    UNKNOWN_TOOL,
    WRONG_DIGEST,
)
from orchestrator_svc.adapters.executor.memory_journal import CUT_OFF, Journal, Owners
from orchestrator_svc.adapters.executor.slots import Slots
from orchestrator_svc.domain.digest import call_digest
from orchestrator_svc.domain.probing import Look
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Effect, Failure, ToolDescriptor, ToolKey
from orchestrator_svc.ports.executor import (
    Ask,
    Attached,
    Call,
    Cancel,
    ChunkReceived,
    Connected,
    Ended,
    ExecutorView,
    Looked,
    Lost,
    Progressed,
    Reminded,
    Signal,
    Started,
    Target,
    ToolsSeen,
)
from shared.kernel.clock import Clock

Run = Callable[[Call], Ending]
Probe = Callable[[Call], Look]


def succeed(result: str = "null") -> Run:
    """A tool that always gives this JSON text."""
    return lambda call: Ending(result, None)


def fail(failure: Failure) -> Run:
    """A tool that always fails this way."""
    return lambda call: Ending(None, failure)


class Replica:
    """One start of one executor.

    A tool with a function (`run`) ends its calls at once with what that gives; the others' calls, and all while
    `manual`, are `held` until the test ends them (`on_held` is told of each). A cancelled one ends at once, unless the
    replica is `stubborn`. `stuck`: ids of calls that have an outcome and do not stop. `probed`: ids that were looked
    for; without a function (`probe`) a test answers (`answer_look`). `received`: every call that was let in, once.
    `acknowledged`, `cancelled`: ids, as they came.
    """

    def __init__(
        self,
        target: Target,
        tools: Iterable[ToolDescriptor],
        total: int,
        journal: Journal,
        mailbox: Mailbox,
        clock: Clock,
    ) -> None:
        self.target = target
        self.tools = {tool.key: tool for tool in tools}
        self.usable: frozenset[ToolKey] = frozenset()
        self.conflicting: list[ToolKey] = []
        self.slots = Slots()
        self.manual = self.stubborn = self.draining = self.connected = False
        self.on_held: Callable[[str], None] | None = None
        self.received: list[Call] = []
        self.acknowledged: list[str] = []
        self.cancelled: list[str] = []
        self.probed, self.stuck = list[str](), set[str]()
        self._total = total
        self._limits: Mapping[ToolKey, int] = {key: tool.concurrency for key, tool in self.tools.items()}
        self._mailbox = mailbox
        self._clock = clock
        self._runs: dict[ToolKey, Run] = {}
        self._probes: dict[ToolKey, Probe] = {}
        self._looked_for: dict[str, bool] = {}
        self._unsent: list[Call] = []
        self._held: dict[str, Call] = {}
        self._owners = Owners()
        self._started: set[str] = set()
        self._ended: dict[str, tuple[str, Ending]] = {}
        self.journal = journal
        journal.boots.add(target.boot_id)

    # What a test says.

    @property
    def held(self) -> list[str]:
        """Ids of the calls that have not ended, oldest first."""
        return list(self._held)

    @property
    def unheard(self) -> list[str]:
        """Ids of the calls that have ended and that nobody has acknowledged, oldest first."""
        return [call_id for call_id in self._ended if call_id not in self.acknowledged]

    def run(self, name: str, run: Run, version: str = "1") -> None:
        self._runs[ToolKey(name, version)] = run

    def probe(self, name: str, probe: Probe, version: str = "1") -> None:
        """The tool looks so for effects."""
        self._probes[ToolKey(name, version)] = probe

    def answer_look(self, call_id: str, look: Look) -> None:
        over = self._looked_for[call_id] and call_id not in self._held and call_id not in self.stuck
        self._mailbox.post(Looked(call_id, self.target, look, over))

    def remind(self, call_id: str) -> None:
        """It is said again how that one ended, as where nobody has acknowledged it for long."""
        call = next(call for call in self.received if call.id == call_id)
        position = self.journal.position if call_id in self.journal.calls else 0
        self._mailbox.post(Reminded(call_id, call.origin.tenant, self.target, self._ended[call_id][1], position))

    def start(self, call_id: str) -> None:
        """A held call runs now."""
        self._started.add(self._held[call_id].id)
        position = self.journal.position if call_id in self.journal.calls else 0
        self._tell(call_id, Started(call_id, self._clock.time_ns(), position))

    def progress(self, call_id: str, fraction: float | None = None, message: str = "") -> None:
        self._tell(call_id, Progressed(call_id, fraction, message))

    def chunk(self, call_id: str, index: int, chunk: str) -> None:
        self._tell(call_id, ChunkReceived(call_id, index, chunk))

    def end(self, call_id: str, ending: Ending) -> None:
        """Ends a held call."""
        call = self._held.pop(call_id)
        self._started.discard(call_id)
        self._ended[call_id] = (call.digest, ending)
        if call_id in self.journal.calls:
            self.journal.write(call, ending)
        self._answer(call_id, ending)

    def release(self, call_id: str | None = None) -> None:
        """Lets one held call (None: all) end with what its tool's function gives (without one: null)."""
        for held in self.held if call_id is None else [call_id]:
            call = self._held[held]
            self.end(held, self._runs.get(call.tool, succeed())(call))

    def come_late(self, call: Call) -> None:
        """A frame that was under way on an earlier stream. Nobody hears what is said of it."""
        self._accept(call)

    def grant(self, total: int, limits: Mapping[ToolKey, int] | None = None) -> None:
        """Other slots from now on: in all, and of tools with limits of their own."""
        self._total, self._limits = total, limits or {}
        self.slots.grant(total, {key: limit for key, limit in self._limits.items() if limit})
        self._mailbox.post_capacity()
        self._deliver()

    def describe(self, tools: Iterable[ToolDescriptor]) -> None:
        """Other tools from now on."""
        before, self.tools = self.tools, {tool.key: tool for tool in tools}
        self.usable = frozenset(key for key in self.usable if self.tools.get(key) == before[key])
        self._mailbox.post(ToolsSeen(self.target, tuple(self.tools.values())))
        self._mailbox.post_capacity()

    def drain(self) -> None:
        """Takes nothing more; what runs, runs on."""
        self.draining = True
        self._mailbox.post_capacity()
        self._give_back_unsent()

    def cut(self) -> None:
        """The stream breaks; what runs, runs on."""
        self._give_back_unsent()
        self.connected = False
        self._mailbox.post(Lost(self.target))
        self._mailbox.post_capacity()

    def connect(self) -> None:
        """A new stream to the same start."""
        self.connected, self.slots, self.usable = True, Slots(), frozenset()
        self._mailbox.post(Connected(self.target))
        self._mailbox.post(ToolsSeen(self.target, tuple(self.tools.values())))
        self.grant(self._total, self._limits)

    # What the engine does, by way of `MemoryExecutors`.

    def send(self, calls: Sequence[Call]) -> bool:
        if self.draining:
            return False
        self._unsent += [call for call in calls if self.slots.take(call.id, call.tool)]
        self._deliver()
        return True

    def cancel(self, cancels: Sequence[Cancel]) -> None:
        """What was not sent yet ends at once, whatever the replica is like."""
        for call_id, token in cancels:
            self.cancelled.append(call_id)
            unsent = [call for call in self._unsent if call.id == call_id]
            if unsent:
                self._unsent.remove(unsent[0])
                self._answer(call_id, Ending(None, CANCELLED))
            elif call_id in self._held and self._admits(call_id, token.epoch) and not self.stubborn:
                self.end(call_id, Ending(None, STOPPED if call_id in self._started else CANCELLED))

    def look(self, call: Call, boot_id: str, position: int) -> None:
        self.probed.append(call.id)
        self._looked_for[call.id] = boot_id in self.journal.boots and position <= self.journal.position
        if call.tool in self._probes:
            self.answer_look(call.id, self._probes[call.tool](call))

    def attach(self, asks: Sequence[Ask]) -> None:
        for ask in asks:
            call_id = ask.call_id
            self.slots.take_attached(call_id)
            state, ending = self._find(ask)
            if state in ("never_seen", "cannot_say"):
                self.slots.release(call_id)
            self._mailbox.post(Attached(call_id, state))
            if ending is not None:
                self._answer(call_id, ending)

    def _find(self, ask: Ask) -> tuple[str, Ending | None]:
        call_id, journal = ask.call_id, self.journal
        if call_id in self._held:
            return ("running" if self._admits(call_id, ask.token.epoch) else "cannot_say"), None
        if call_id in self._ended:
            return "ended", self._ended[call_id][1]
        if ask.boot_id != self.target.boot_id and ask.effect is not Effect.NON_IDEMPOTENT:
            return "cannot_say", None
        if ask.boot_id not in journal.boots or ask.position > journal.position:
            return "cannot_say", None
        if call_id in journal.calls:
            return "ended", journal.calls[call_id][1] or CUT_OFF
        journal.fenced.add(call_id)
        return "never_seen", None

    def view(self) -> ExecutorView:
        in_flight, capacity = (len(self.slots.open), self._total) if self.connected else (0, 0)
        return ExecutorView(
            *self.target,
            "memory",
            "0",
            self.connected,
            self.draining,
            sorted(map(str, self.usable)),
            sorted(map(str, self.conflicting)),
            in_flight,
            capacity,
            0,
            self._clock.time_ns(),
        )

    def _admits(self, call_id: str, epoch: int) -> bool:
        return self._owners.admit(self._held[call_id], epoch)

    def _deliver(self) -> None:
        """Lets in what waits for a slot that is really there."""
        waiting, self._unsent = self._unsent, []
        for call in waiting:
            same = sum(held.tool == call.tool for held in self._held.values())
            if len(self._held) < self._total and same < (self._limits.get(call.tool) or self._total):
                self._accept(call)
            else:
                self._unsent.append(call)

    def _accept(self, call: Call) -> None:
        earlier = self._ended.get(call.id)
        if call.tool not in self.tools:
            self._answer(call.id, UNKNOWN_TOOL)
        elif call_digest(call.tool, call.arguments) != call.digest:
            self._answer(call.id, WRONG_DIGEST)
        elif earlier is not None:
            self._answer(call.id, earlier[1] if earlier[0] == call.digest else REUSED_ID)
        elif call.id in self._held:
            if self._held[call.id].digest != call.digest:
                self._answer(call.id, REUSED_ID)
            elif not self._admits(call.id, call.origin.epoch):
                self._answer(call.id, Ending(None, SUPERSEDED))
        elif call.id in self.journal.fenced:
            self._answer(call.id, FENCED)
        elif call.id in self.journal.calls:
            digest, ending = self.journal.calls[call.id]
            self._answer(call.id, (ending or CUT_OFF) if digest == call.digest else REUSED_ID)
        else:
            if self.tools[call.tool].effect is Effect.NON_IDEMPOTENT:
                self.journal.write(call, None)
            self.received.append(call)
            self._held[call.id] = call
            if call.tool in self._runs and not self.manual:
                self.release(call.id)
            elif self.on_held is not None:
                self.on_held(call.id)

    def _answer(self, call_id: str, ending: Ending) -> None:
        """Goes unheard unless the call is open on this stream."""
        if self.connected and self.slots.release(call_id):
            position = self.journal.position if call_id in self.journal.calls else 0
            ending.over = call_id not in self.stuck
            self._mailbox.post(Ended(call_id, ending, self._clock.monotonic(), position))
        if self._unsent:
            self._deliver()

    def _tell(self, call_id: str, signal: Signal) -> None:
        if self.connected and call_id in self.slots.open:
            self._mailbox.post(signal)

    def _give_back_unsent(self) -> None:
        waiting, self._unsent = self._unsent, []
        for call in waiting:
            self._answer(call.id, LOST)
