"""Short words for tests of the engine: a world with one replica at hand, calls by what they ask for, events."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from greenlight.orchestrator.v1 import event_pb2
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.domain.proposal import Condition, Dependency, ProposalSpec
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect, ToolDescriptor
from tests.support.world import TOOLS, World, running


def spec(tool: str, key: str = "", *after: str, **members: object) -> ProposalSpec:
    """`after`: keys that it depends on, `key?` where FINISHED is enough."""
    edges = [Dependency(k.rstrip("?"), Condition.FINISHED if k.endswith("?") else Condition.SUCCEEDED) for k in after]
    return ProposalSpec(tool=tool, key=key, depends_on=tuple(edges), **members)  # type: ignore[arg-type]


def failed(
    failure_class: FailureClass = FailureClass.TRANSIENT,
    known_effect: KnownEffect = KnownEffect.NONE,
    *,
    refused: bool = False,
    retry_after: int | None = None,
) -> Ending:
    return Ending(None, Failure(failure_class, known_effect, "BROKE", "it broke", retry_after, refused))


def possible(failure_class: FailureClass = FailureClass.TRANSIENT) -> Ending:
    """It may have had its effect."""
    return failed(failure_class, KnownEffect.POSSIBLE)


def ok(result: str = "1") -> Ending:
    return Ending(result, None)


def keys(call_ids: Sequence[str]) -> list[str]:
    """Of call ids: `key/attempt`."""
    return [call_id.partition("/")[2] for call_id in call_ids]


@asynccontextmanager
async def started(
    world: World, tools: Sequence[ToolDescriptor] = TOOLS, *, slots: int = 100
) -> AsyncGenerator[Replica]:
    """A running world's one executor; its calls are held until the test ends them."""
    async with running(world, ()):
        replica = world.executors.add(tools, slots=slots)
        await world.settle()
        yield replica


async def events(world: World, batch_id: str, oldest: int = 1) -> list[event_pb2.Event]:
    """All that is stored, decoded; from that one on without a gap, or it fails."""
    view = await world.batch(batch_id)
    found: list[event_pb2.Event] = []
    for frame in await world.store.read_frames(view.number, 0, 1 << 30):
        found += event_pb2.EventFrame.FromString(frame.payload).events
    assert [event.sequence for event in found] == list(range(oldest, view.head + 1))
    return found


async def story(world: World, batch_id: str, key: str = "") -> list[str]:
    """What happened to a proposal (or to the batch), by name."""
    return [str(event.WhichOneof("detail")) for event in await events(world, batch_id) if event.key == key]


async def later(world: World, seconds: float) -> None:
    """What was said before is heard before the time passes."""
    await world.settle()
    await world.advance(seconds)
