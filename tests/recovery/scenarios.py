"""What clients, people and executors do while the world is stopped somewhere: each a play, and how its calls end."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.states import Resolution
from orchestrator_svc.domain.tool import FailureClass, KnownEffect
from tests.support.drill import Drill, Play
from tests.support.engine_world import failed, spec
from tests.support.workshop import IN_VAIN

FROM_P = '{"x":{"$from":"p","path":"/n"}}'
HOUR = 3600.0
POSSIBLE = failed(FailureClass.TIMEOUT, KnownEffect.POSSIBLE)


async def mixed(drill: Drill) -> None:
    """Every tier and effect, references, decisions one after the other."""
    batch_id = await drill.submit(
        spec("read", "p"),
        spec("note", "n", "p"),
        spec("pay", "x", arguments=FROM_P),
        spec("send", "s"),
        spec("write", "w", arguments=FROM_P),
        spec("read", "r", "x?", "y?"),
        spec("pay", "y"),
    )
    await drill.work()
    await drill.decide(batch_id, "n")
    await drill.work()
    await drill.decide(batch_id, "y", verdict=Verdict.REJECT)
    await drill.decide(batch_id, "x")
    await drill.work()


async def retries(drill: Drill) -> None:
    """Back-offs of each effect; one whose time is over before its dependents run."""
    await drill.submit(spec("read", "a"), spec("write", "w"), spec("send", "s"), spec("read", "b", "a", "w", "s"))
    for _ in range(5):
        await drill.work(3)


async def edited(drill: Drill) -> None:
    """An edit, and an edit of what is not bound yet; one proposal is cancelled, another while it runs."""
    batch_id = await drill.submit(
        spec("read", "p"),
        spec("pay", "e"),
        spec("note", "c"),
        spec("pay", "u", arguments=FROM_P),
        spec("read", "d", "e"),
        spec("read", "f", "c?"),
        spec("send", "k"),
    )
    await drill.decide(batch_id, "u", accept_unbound=True, edited='{"x":{"$from":"p","path":"/n"},"y":2}')
    await drill.decide(batch_id, "e", edited='{"y":2}')
    await drill.cancel(batch_id, "c", "k")
    await drill.work()


async def cancelled(drill: Drill) -> None:
    """A batch that is cancelled while everything in it stands somewhere else."""
    batch_id = await drill.submit(
        spec("send", "s"), spec("read", "r"), spec("pay", "y"), spec("write", "w"), spec("read", "l", "w"), open=True
    )
    await drill.settle()
    for call_id in drill.replica.held[:1]:
        drill.tools.end(call_id)
    await drill.cancel(batch_id)
    await drill.work()


async def overtaken(drill: Drill) -> None:
    """Cancels that come while an attempt is being recorded, just before, and just after."""
    for turns in range(6):
        batch_id = await drill.submit(spec("read", "a"), spec("send", "b", "a"), spec("write", "c", "a"))
        await drill.settle()
        for call_id in drill.replica.held:
            drill.tools.end(call_id)
        for _ in range(turns):
            await asyncio.sleep(0)
        await drill.cancel(batch_id, *("b" * (turns % 2)))
        await drill.work()


async def growing(drill: Drill) -> None:
    """An open batch that is added to while it runs, then closed."""
    batch_id = await drill.submit(spec("read", "p"), open=True)
    await drill.settle()
    await drill.add(batch_id, spec("write", "w", arguments=FROM_P), spec("send", "s", "p"))
    await drill.work()
    await drill.add(batch_id, spec("pay", "x", arguments=FROM_P), spec("read", "r", "s", "x?"), close=True)
    await drill.work()
    await drill.decide(batch_id, "x")
    await drill.work()


async def by_hand(drill: Drill) -> None:
    """A failure that is tried again by hand, outcomes that somebody finds out: each of the three answers."""
    batch_id = await drill.submit(
        spec("read", "a"),
        spec("write", "b", "a"),
        spec("send", "u"),
        spec("send", "v"),
        spec("read", "c", "u", "v?"),
        spec("pay", "y", "a?"),
    )
    await drill.work()
    await drill.retry(batch_id)
    await drill.work()
    await drill.resolve(f"{batch_id}/u")
    await drill.resolve(f"{batch_id}/v", Resolution.FAILED)
    await drill.decide(batch_id, "y")
    await drill.work()


async def looked_for(drill: Drill) -> None:
    """Outcomes that nobody knows, of a tool that can look for its effect: there, not there, and not there yet."""
    await drill.submit(
        spec("transfer", "t"),
        spec("transfer", "v"),
        spec("transfer", "w"),
        spec("read", "r", "t", "v?"),
        spec("send", "s"),
    )
    for _ in range(4):
        await drill.work(3)


async def turn(drill: Drill) -> None:
    """A session of two batches, confirmed by the user's next turn but for one objection; one partly decided before."""
    await drill.session("s", '{"n":1}')
    first = await drill.submit(spec("note", "n"), spec("note", "m"), spec("pay", "y"), session_id="s")
    await drill.session("s", '{"n":2}')
    second = await drill.submit(spec("note", "o"), spec("send", "k", "o"), spec("read", "q", "o?"), session_id="s")
    await drill.decide(first, "m", "y")
    await drill.confirm("s", f"{second}/o")
    await drill.work()


async def talkative(drill: Drill) -> None:
    """Calls that say how far they are, one at a time."""
    await drill.submit(spec("read", "t"), spec("send", "q"), spec("write", "w", "t"), max_in_flight=1)
    await drill.work()


async def away(drill: Drill) -> None:
    """A call is given up and resolved, and ends while its executor is away; another batch waits for a person."""
    batch_id = await drill.submit(spec("send", "u"))
    await drill.submit(spec("note", "n"))
    await drill.settle()
    drill.replica.cut()
    await drill.settle()
    await drill.world.advance(61)
    await drill.settle()
    await drill.resolve(f"{batch_id}/u", Resolution.FAILED)
    drill.tools.end_all()


async def unacknowledged(drill: Drill) -> None:
    """Its world stops when the first outcome is on record."""
    await drill.submit(spec("write", "w"), spec("send", "s", "w"))
    await drill.work()


async def reminded(drill: Drill) -> None:
    """Nobody that is left has sent what the executor says again. A batch is taken for nothing, and let go."""
    _, waiting, _ = drill.batches
    await drill.add(waiting, spec("read"))
    await drill.work(61)
    await drill.decide(waiting, "n")
    await drill.work()


async def swept(drill: Drill) -> None:
    """Old events and requests go while others live; a batch whose events have gone is tried again."""
    old = await drill.submit(spec("read", "f"), spec("send", "s", "f?"))
    await drill.work(25 * HOUR)
    batch_id = await drill.submit(spec("read", "p"), spec("pay", "y", arguments=FROM_P), spec("send", "k", "y"))
    await drill.settle()
    await drill.sweep()
    await drill.work()
    await drill.retry(old)
    await drill.settle()
    await drill.sweep()
    await drill.decide(batch_id, "y")
    await drill.work(2)
    await drill.sweep()


async def large(drill: Drill) -> None:
    """A submission of several transactions, with a neighbour."""
    await drill.submit(*[spec("read") for _ in range(130)])
    await drill.submit(spec("send", "s"))
    await drill.work()


@dataclass(frozen=True, slots=True)
class Scenario:
    """`earlier`: what was played before, each in a start that was stopped when it was to acknowledge an outcome, or
    when that was over. `keep`: how many seconds finished batches keep their events; 0: for ever."""

    play: Play
    script: Mapping[str, Sequence[Ending]] = field(default_factory=dict[str, Sequence[Ending]])
    talks: Sequence[str] = ()
    earlier: Sequence[Play] = ()
    keep: float = 0.0


SCENARIOS = {
    "mixed": Scenario(mixed),
    "retries": Scenario(
        retries,
        {
            "a": [failed(), POSSIBLE],
            "w": [failed(FailureClass.RATE_LIMITED)],
            "s": [failed(FailureClass.UNAVAILABLE, refused=True), failed()],
        },
    ),
    "edited": Scenario(edited),
    "cancelled": Scenario(cancelled),
    "growing": Scenario(growing),
    "by_hand": Scenario(by_hand, {"a": [failed(FailureClass.PERMANENT)], "u": [POSSIBLE], "v": [POSSIBLE]}),
    "looked_for": Scenario(
        looked_for, {"t": [POSSIBLE], "v": [Ending(None, IN_VAIN)], "w": [Ending(None, IN_VAIN), POSSIBLE]}
    ),
    "turn": Scenario(turn),
    "talkative": Scenario(talkative, talks="tq"),
    "reminded": Scenario(reminded, earlier=[away, unacknowledged]),
    "swept": Scenario(swept, {"f": [failed(FailureClass.PERMANENT)]}, keep=1.0),
    "large": Scenario(large),
}

OVERTAKEN = Scenario(overtaken)
"""Of these it takes a store that commits slowly."""
