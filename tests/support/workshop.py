"""The executor's side of a drill: one start after the other, what their tools did to the world, and what they gave."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator_svc.adapters.executor.memory import MemoryExecutors
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.domain.probing import Look
from orchestrator_svc.domain.proposal import Finding
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Effect, Failure, FailureClass, KnownEffect, Tier
from orchestrator_svc.ports.executor import Call
from tests.support.clock import ManualClock
from tests.support.world import TOOLS, tool

WITH_PROBE = (*TOOLS, replace(tool("transfer", Effect.NON_IDEMPOTENT, Tier.AUTO), probes=True))
IN_VAIN = Failure(FailureClass.TRANSIENT, KnownEffect.POSSIBLE, "IN_VAIN", "it had none, which nobody knows")
_NON_IDEMPOTENT = {tool.key for tool in WITH_PROBE if tool.effect is Effect.NON_IDEMPOTENT}


class Workshop:
    """`script`: key -> how its calls end, one after the other; then they succeed, each with a result of its own.

    `effects`: proposal id -> how often its tool did what it does; `effects_of_call`: by call id. `results`: call id ->
    what it gave. `talks`: keys of calls that say how far they are. `keeps_journal`: a start of the executor knows what
    the one before it was sent.
    """

    def __init__(self, script: Mapping[str, Sequence[Ending]], talks: Sequence[str], seed: int) -> None:
        self.clock = ManualClock()
        self.executors = MemoryExecutors(self.clock)
        self.replica: Replica = self.executors.add(WITH_PROBE)
        self.replica.probe("transfer", self._look)
        self.effects: Counter[str] = Counter()
        self.effects_of_call: Counter[str] = Counter()
        self.results: dict[str, str] = {}
        self.keeps_journal = True
        self._script, self._talks, self._random = script, talks, random.Random(seed)
        self._starts = [self.replica]
        self._runs: Counter[str] = Counter()

    @property
    def received(self) -> list[Call]:
        """Every call that any start let in."""
        return [call for replica in self._starts for call in replica.received]

    async def forget_signals(self) -> None:
        """The stream breaks: what was said is not heard by the next start of the orchestrator."""
        self.replica.cut()
        await self.executors.signals()

    def begin(self, call_id: str) -> None:
        """Its tool runs, and says so."""
        self.replica.start(call_id)
        self.replica.progress(call_id, 0.5, "half")
        self.replica.chunk(call_id, 1, '"a"')

    def end(self, call_id: str) -> None:
        key = call_id.split("/")[1]
        if key in self._talks:
            self.begin(call_id)
        script = self._script.get(key, ())
        number = self._runs[key]
        self._runs[key] += 1
        result = f'{{"n":{sum(self._runs.values())}}}'
        ending = replace(script[number]) if number < len(script) else Ending(result, None)
        in_vain = ending.failure is not None and ending.failure.reason == IN_VAIN.reason
        if not in_vain and (ending.failure is None or ending.failure.known_effect is not KnownEffect.NONE):
            self._have_effect(call_id)
        if ending.result is not None:
            self.results[call_id] = ending.result
        self.replica.end(call_id, ending)

    def end_all(self) -> None:
        """Everything that runs ends, whether anybody listens or not."""
        for call_id in self.replica.held:
            self.end(call_id)

    def remind(self) -> None:
        """How calls ended that nobody has acknowledged is said again, if anybody listens."""
        if self.replica.connected:
            for call_id in self.replica.unheard:
                self.replica.remind(call_id)

    def come_late(self, calls: Sequence[Call]) -> None:
        """Frames of NON_IDEMPOTENT calls that nobody waits for any more; those that are let in are run to their end."""
        for call in calls:
            if call.tool in _NON_IDEMPOTENT:
                self.replica.come_late(call)
                if call.id in self.replica.held:
                    self.end(call.id)

    def die(self) -> None:
        """This start is gone for good, with what it ran: some of that had done what it does. Another one begins,
        with its journal or without."""
        for call_id in self.replica.held:
            if self._random.random() < 0.5:
                self._have_effect(call_id)
        self.replica = self.executors.add(WITH_PROBE, journal_lost=not self.keeps_journal)
        self.replica.probe("transfer", self._look)
        self._starts.append(self.replica)

    def _have_effect(self, call_id: str) -> None:
        self.effects[call_id.rpartition("/")[0]] += 1
        self.effects_of_call[call_id] += 1

    def _look(self, call: Call) -> Look:
        """In the world as it is."""
        if not self.effects[call.id.rpartition("/")[0]]:
            return Look(Finding.NOT_FOUND)
        self.results[call.id] = '{"n":0}'
        return Look(Finding.FOUND, self.results[call.id])
