"""Lets tools look for the effect of calls whose outcome is unknown: each look is a run of its own, as a READ call's."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import NamedTuple

from executor_svc.application.journal_writer import JournalWriter
from executor_svc.application.ledger import Ledger
from executor_svc.application.outbox import ChunkEntry, Entry, Outbox, ProbeEntry, ProgressEntry
from executor_svc.application.registry import Hosted, Registry
from executor_svc.application.run import Run
from executor_svc.application.runner import Runner
from executor_svc.application.streams import Stream, Streams
from executor_svc.domain.call import Call
from executor_svc.domain.outcome import Outcome
from shared.kernel.clock import Clock


class SentTo(NamedTuple):
    """Where a call was sent: the start, and how far that executor's journal stood at least."""

    boot_id: str
    position: int


class _Look(Outbox):
    """Where a look's outcome goes; what it says meanwhile is nobody's."""

    def __init__(self, ended: Callable[[Outcome], None]) -> None:
        super().__init__()
        self._ended = ended

    def put(self, entry: Entry) -> None:
        if isinstance(entry, Outcome):
            self._ended(entry)

    def put_chunk(self, entry: ChunkEntry) -> None:
        pass

    def put_progress(self, entry: ProgressEntry) -> None:
        pass


class Probing:
    """Looks take free slots of the executor, and none of the stream that asks. Every call asked about is answered.

    `known`: this start, and those before it of which the journal knows every call. One look of a call at a time; and
    none of a tool of which `most_stuck` do not end: each may hold a thread for good.
    """

    def __init__(
        self,
        registry: Registry,
        runner: Runner,
        ledger: Ledger,
        streams: Streams,
        journal: JournalWriter,
        known: Collection[str],
        clock: Clock,
        most_stuck: int,
    ) -> None:
        self._registry, self._runner, self._ledger, self._streams = registry, runner, ledger, streams
        self._journal, self._known, self._clock, self._most_stuck = journal, known, clock, most_stuck
        self._looks: dict[str, Run] = {}
        self._numbers = count(1)

    def ask(self, stream: Stream, calls: Sequence[Call], sent_to: Mapping[str, SentTo]) -> None:
        self._looks = {call_id: look for call_id, look in self._looks.items() if not look.over}
        stuck = Counter(look.hosted for look in self._looks.values() if look.settled)
        for call in calls:
            probe = self._find(call, stuck)
            if isinstance(probe, str):
                stream.outbox.put(ProbeEntry(call.id, problem=probe))
            else:
                self._look(stream, call, probe, sent_to.get(call.id))
        self._streams.divide(self._runner.total)
        self._runner.wake()

    def _find(self, call: Call, stuck: Counter[Hosted]) -> Hosted | str:
        """What looks for it, or why nothing can now."""
        hosted = self._registry.find(call.tool, call.version)
        if hosted is None or hosted.probe is None:
            return "this executor has no probe of the tool"
        if hosted.digest(call.arguments) != call.digest:
            return "tool, version and arguments have another digest"
        if self._streams.draining:
            return "this executor is shutting down"
        if (look := self._looks.get(call.id)) is not None and not look.over:
            return "an earlier look for its effect has not ended"
        if stuck[hosted.probe] >= self._most_stuck:
            return f"looks of this tool have not ended ({stuck[hosted.probe]}): no more are made before one has"
        if self._runner.total >= self._streams.slots:
            return "all slots are taken"
        return hosted.probe

    def _look(self, stream: Stream, call: Call, probe: Hosted, sent_to: SentTo | None) -> None:
        # Asked before the look begins: what ends during it may have its effect behind the look's back.
        still_running = self._is_at_work(call.id)
        over = not still_running and sent_to is not None and self._knows(sent_to)
        sink = Stream()

        def ended(outcome: Outcome) -> None:
            self._ledger.acknowledge([outcome.call_id], self._clock.monotonic())
            problem = outcome.failure.message or outcome.failure.reason if outcome.failure is not None else ""
            if not outcome.still_running:
                del self._looks[call.id]
            stream.due -= 1
            stream.outbox.put(ProbeEntry(call.id, outcome.result, problem, still_running, over))

        sink.outbox = _Look(ended)
        stream.due += 1
        look = replace(call, id=f"{call.id}#probe-{next(self._numbers)}", timeout=None, span_id=b"")
        self._runner.start(look, probe, sink, self._clock.monotonic(), hold=False)
        self._looks[call.id] = self._runner.running[look.id]

    def _knows(self, sent_to: SentTo) -> bool:
        """Of that start it would know of every call: not where its journal is a copy, or was put back."""
        return sent_to.boot_id in self._known and sent_to.position <= self._journal.position

    def _is_at_work(self, call_id: str) -> bool:
        """Whether it runs, or has an outcome and does not stop."""
        return call_id in self._runner.running or any(run.call.id == call_id for run in self._runner.stuck)
