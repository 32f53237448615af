"""The executors as the engine sees them: places with free slots, calls out, signals in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from orchestrator_svc.domain.probing import Look
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Effect, ToolDescriptor, ToolKey


class Target(NamedTuple):
    """One start of one executor, reached over one stream."""

    executor_id: str
    boot_id: str


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """What the calls of one batch share. One object a batch: senders may remember what they made of it."""

    tenant: str
    principal: str
    session_id: str
    context: str
    batch_id: str
    labels: dict[str, str]
    trace_id: str
    epoch: int
    incarnation: str


class Call(NamedTuple):
    """An attempt as the executor sees it. `timeout` in ns, None: the tool's. `span_id` empty: not sampled."""

    id: str
    origin: Origin
    tool: ToolKey
    arguments: str
    digest: str
    idempotency_key: str
    attempt: int
    agent: str
    timeout: int | None
    span_id: bytes


class Token(NamedTuple):
    """Whose a batch is, as whoever sends it believes."""

    epoch: int
    incarnation: str


class Ask(NamedTuple):
    """What became of a call, sent to that start (`boot_id`) of the executor? `position`: the highest of its journal's
    positions that is known here."""

    call_id: str
    boot_id: str
    effect: Effect
    position: int
    token: Token


class Cancel(NamedTuple):
    """A call that is to stop."""

    call_id: str
    token: Token


class Ended(NamedTuple):
    """A call's ending. `received`: monotonic s. The executor's durations stand in it; `wire` is the engine's.

    `position`: where the executor's journal stood when it was written down there; 0: it was not.
    """

    call_id: str
    ending: Ending
    received: float
    position: int = 0


class Started(NamedTuple):
    """`position`: as in Ended, of when the call was accepted."""

    call_id: str
    start_time: int
    position: int = 0


class Progressed(NamedTuple):
    call_id: str
    fraction: float | None
    message: str


class ChunkReceived(NamedTuple):
    call_id: str
    number: int
    chunk: str


class Attached(NamedTuple):
    """Answer to an attach. `state`: running | ended (its ending follows) | never_seen (fenced) | cannot_say (also: it
    runs for a later owner of its batch)."""

    call_id: str
    state: str


class Looked(NamedTuple):
    """Answer to a probe. `over`: the call was at work no more when the look began, by the word of who would know."""

    call_id: str
    target: Target
    look: Look
    over: bool


class Reminded(NamedTuple):
    """How a call ended, said again: nobody has acknowledged it for long, and who sent it may be gone. `position`: as in
    Ended."""

    call_id: str
    tenant: str
    target: Target
    ending: Ending
    position: int = 0


class Connected(NamedTuple):
    """A stream is up: the engine may attach what it sent to that start earlier."""

    target: Target


class Lost(NamedTuple):
    """A stream broke. Its calls may run on; nothing is heard of them until it is back, if ever."""

    target: Target


class CapacityChanged(NamedTuple):
    """Slots or tools came or went: what waits may fit now."""


class ToolsSeen(NamedTuple):
    """What an executor describes; the answer to it is `use_tools`."""

    target: Target
    descriptors: tuple[ToolDescriptor, ...]


Signal = (
    Ended
    | Started
    | Progressed
    | ChunkReceived
    | Attached
    | Looked
    | Reminded
    | Connected
    | Lost
    | CapacityChanged
    | ToolsSeen
)


@dataclass(slots=True)
class ExecutorView:
    """One executor for ListExecutors. `last_seen`: ns since 1970. Lists sorted, `name@version`."""

    executor_id: str
    boot_id: str
    address: str
    version: str
    connected: bool
    draining: bool
    tools: list[str]
    conflicting_tools: list[str]
    in_flight: int
    capacity: int
    stuck_threads: int
    last_seen: int


class Executors(Protocol):
    """All replicas. Not thread-safe; of the engine's loop.

    Slots: `choose` looks, `send` takes one slot a call, and the call's `Ended` (or `Lost`) frees it. Never sends more
    than was granted. Routes by tool and version to those that have it, with the descriptor that is on record.
    """

    async def start(self) -> None: ...

    async def close(self) -> None:
        """Ends the streams. Cancels no call."""
        ...

    def choose(self, tool: ToolKey) -> tuple[Target, int] | None:
        """The less loaded of two that have the tool and a free slot, and how many are free there; None: none."""
        ...

    def serves(self, tool: ToolKey) -> bool:
        """Whether any connected executor has it, free or not."""
        ...

    def differs(self, tool: ToolKey) -> bool:
        """Whether any connected executor has it with another descriptor than is on record."""
        ...

    def connected_count(self) -> int: ...

    def send(self, target: Target, calls: Sequence[Call]) -> bool:
        """Queues calls for the target's stream. False: it is gone, and none was handed to the transport."""
        ...

    def cancel(self, target: Target, cancels: Sequence[Cancel]) -> None:
        """Ignored of a call that runs for a later owner of its batch."""
        ...

    def acknowledge(self, target: Target, call_ids: Sequence[str]) -> None:
        """Their outcomes are on record. It hears of it a moment later, or when it is back."""
        ...

    def attach(self, target: Target, asks: Sequence[Ask]) -> bool:
        """Asks what became of calls sent to this executor earlier, to this start or, if they are NON_IDEMPOTENT, to
        one before; takes a slot for each. False: not connected."""
        ...

    def probe(self, call: Call, sent_to: Target, position: int, but: Target | None = None) -> Target | None:
        """Lets the call's tool look for its effect, as it was sent: there if that can, else on another start of that
        executor, else on any that can; where several can, not on `but`. Takes no slot. `Looked` comes once, unless that
        target is `Lost` first. None: none can. `position`: as in Ask."""
        ...

    def use_tools(self, target: Target, usable: Sequence[ToolKey], conflicting: Sequence[ToolKey]) -> None:
        """Which of an executor's tools calls may be routed to."""
        ...

    async def signals(self) -> list[Signal]:
        """What came in since the last call, in order; waits for the first."""
        ...

    def views(self) -> list[ExecutorView]:
        """By executor id; those of this start that went away included."""
        ...
