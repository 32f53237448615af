"""The executor's use cases: streams open and close, calls come, are cancelled, acknowledged and asked for."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from executor_svc.application import admission
from executor_svc.application.attaching import Ask, Attaching
from executor_svc.application.journal_writer import JournalWriter
from executor_svc.application.ledger import Ended, Ledger, Retention
from executor_svc.application.owners import Owners
from executor_svc.application.probing import Probing, SentTo
from executor_svc.application.pulse import Pace
from executor_svc.application.registry import Hosted, Registry
from executor_svc.application.reminding import Reminding
from executor_svc.application.run import Run, Stop
from executor_svc.application.runner import Runner
from executor_svc.application.streams import Stream, Streams
from executor_svc.domain.call import Call
from executor_svc.domain.journalled import reused_id
from executor_svc.domain.outcome import Failure, Outcome, refused
from executor_svc.domain.tool import ToolSpec
from executor_svc.ports.observer import CallObserver
from executor_svc.ports.tool import Tool
from shared.kernel.clock import Clock
from shared.kernel.errors import ExhaustedError, UnavailableError

_log = logging.getLogger(__name__)
_RETRY_AFTER = 1.0
_LAST_WRITES = 2.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers: `executor_id` stands for the installation, `boot_id` for one start, `earlier` for those before it of
    which its journal knows everything."""

    executor_id: str
    boot_id: str
    earlier: frozenset[str] = frozenset()


class Executor:
    """Used on one event loop. Nothing here waits but `call_once` and `drain`.

    `stuck_looks`: of a tool of which as many looks do not end, no more are made.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        tools: Sequence[Tool],
        slots: int,
        stuck_looks: int = 8,
        clock: Clock,
        journal: JournalWriter,
        pace: Pace | None = None,
        retention: Retention | None = None,
        observer: CallObserver | None = None,
    ) -> None:
        self.identity = identity
        self.slots = slots
        self.closed = False
        self._clock = clock
        self._registry = Registry(tools)
        retention = retention or Retention()
        self._ledger = Ledger(retention)
        self._streams = Streams(slots, self._registry)
        self.reminding = Reminding(self._ledger, self._streams, clock, retention.reminder_seconds)
        self._journal = journal
        self._runner = Runner(clock, self._streams, self._ledger, journal, identity.boot_id, pace or Pace(), observer)
        self._owners = Owners(self._runner.running)
        self._attaching = Attaching(identity.boot_id, self._runner, self._owners, self._ledger, self._streams, journal)
        runner, ledger, streams = self._runner, self._ledger, self._streams
        known = identity.earlier | {identity.boot_id}
        self._probing = Probing(self._registry, runner, ledger, streams, journal, known, clock, stuck_looks)

    def open(self) -> None:
        """Starts the watchdog."""
        self._runner.open()

    def end_streams(self) -> None:
        """Ends all streams once what waits for them is out."""
        self.closed = True
        for stream in self._streams:
            stream.outbox.wake.set()

    def close(self) -> None:
        """Ends the watchdog."""
        self._runner.close()

    @property
    def draining(self) -> bool:
        return self._streams.draining

    @property
    def in_flight(self) -> int:
        return len(self._runner.running)

    def working(self) -> list[str]:
        """Tools and calls that run now, the stuck ones included, for the log."""
        runs = [*self._runner.running.values(), *self._runner.stuck]
        return [f"{run.call.tool} {run.call.version} (call {run.call.id})" for run in runs]

    @property
    def stuck(self) -> int:
        return len(self._runner.stuck)

    @property
    def journal_position(self) -> int:
        return self._journal.position

    @property
    def journal_problem(self) -> str:
        """Why calls of NON_IDEMPOTENT tools are refused; empty: they are not."""
        return self._journal.problem

    def specs(self) -> list[ToolSpec]:
        """The tools as they are now, by name, then version."""
        return self._registry.specs()

    def pick(self, name: str, version: str) -> Hosted:
        """Raises NotFoundError (TOOL_UNKNOWN). No version means the highest."""
        return self._registry.pick(name, version)

    def replace_tools(self, tools: Sequence[Tool]) -> None:
        """From now on these; every stream is told."""
        self._registry.replace(tools)
        self._streams.divide(self._runner.total)
        self._streams.tools_changed()

    async def unused(self, tools: Iterable[Tool]) -> None:
        """Returns once no call of these runs."""
        asked = {id(part) for tool in tools for part in (tool, tool.probe) if part is not None}
        runner = self._runner
        await runner.until(lambda: not any(id(run.tool) in asked for run in [*runner.running.values(), *runner.stuck]))

    def open_stream(self) -> Stream:
        stream = self._streams.add()
        self._streams.divide(self._runner.total)
        return stream

    def close_stream(self, stream: Stream) -> None:
        """Its calls run on; their outcomes are kept."""
        for run in self._runner.running.values():
            if stream in run.sinks:
                run.sinks = [sink for sink in run.sinks if sink is not stream]
            if run.holder is stream:
                run.holder = None
        self._streams.remove(stream)
        self._streams.divide(self._runner.total)

    def submit(self, stream: Stream, calls: Sequence[Call]) -> None:
        """Starts what may start. Every call gets its outcome on the stream, refused or not."""
        received = self._clock.monotonic()
        runner, ledger, streams, find = self._runner, self._ledger, self._streams, self._registry.find
        failure: Failure | None
        for call in calls:
            hosted = find(call.tool, call.version)
            if hosted is None:
                failure = admission.unknown_tool(call)
            elif hosted.digest(call.arguments) != call.digest:
                failure = admission.wrong_digest()
            elif (earlier := runner.running.get(call.id) or self._ended(call.id, hosted)) is not None:
                failure = self._repeat(stream, call, earlier)
                if failure is None:
                    continue
            else:
                failure = admission.judge(call, hosted, stream, streams, ledger, runner.total)
                if failure is None:
                    runner.start(call, hosted, stream, received)
                    continue
            stream.outbox.put(refused(call.id, failure))
        runner.wake()
        stream.outbox.wake.set()

    def cancel(self, call_id: str, epoch: int = 0) -> None:
        """If it runs it gets its outcome. Others are ignored, and so are those of who has lost their batch (`epoch`:
        as who cancels has it, 0: not said)."""
        run = self._runner.running.get(call_id)
        if run is not None and self._owners.admits(run, epoch):
            self._runner.stop(run, Stop.CANCELLED)

    def acknowledge(self, call_ids: Iterable[str]) -> None:
        """Their outcomes have been recorded."""
        now = self._clock.monotonic()
        journalled = self._ledger.acknowledge(call_ids, now)
        if journalled:
            self._journal.acknowledge(journalled)
        self._ledger.forget(now)

    def attach(self, stream: Stream, ask: Ask) -> None:
        """Answers what became of a call; if it runs, its outcome goes to this stream from now on."""
        self._attaching.attach(stream, ask)

    def probe(self, stream: Stream, calls: Sequence[Call], sent_to: Mapping[str, SentTo]) -> None:
        """Looks for the effects of calls; every one is answered on the stream. `sent_to`: by call id."""
        self._probing.ask(stream, calls, sent_to)

    async def call_once(self, call: Call, hosted: Hosted) -> Outcome:
        """Runs one call outside of any stream and waits for it; given up, it is cancelled."""
        if self._streams.draining:
            raise UnavailableError("DRAINING", "this executor is shutting down", retry_after=_RETRY_AFTER)
        limited = hosted.limit is not None and hosted.running >= hosted.limit
        if limited or self._runner.total >= self.slots:
            raise ExhaustedError("SLOTS_EXHAUSTED", f"no slot is free for {call.tool}", retry_after=_RETRY_AFTER)
        stream = Stream()
        self._runner.start(call, hosted, stream, self._clock.monotonic(), hold=False)
        self._streams.divide(self._runner.total)
        self._runner.wake()
        try:
            while True:
                await stream.outbox.wake.wait()
                stream.outbox.wake.clear()
                parcel = stream.outbox.take()
                for entry in parcel.entries if parcel else ():
                    if isinstance(entry, Outcome):
                        return entry
        finally:
            self.cancel(call.id)
            self.acknowledge([call.id])

    async def drain(self, grace: float) -> None:
        """Takes no more calls, waits up to `grace` seconds for those that run, then stops what is left."""
        self._streams.drain()
        self._streams.divide(self._runner.total)
        try:
            async with asyncio.timeout(grace):
                await self._runner.until(lambda: not self._runner.running)
        except TimeoutError:
            _log.warning("%d calls still run after %g s and are stopped", self.in_flight, grace)
            for run in list(self._runner.running.values()):
                self._runner.stop(run, Stop.SHUTDOWN)
            await self._until_written()

    async def _until_written(self) -> None:
        """Until every outcome is out; those that cannot be written down are given up."""
        runner = self._runner
        while runner.running:
            try:
                async with asyncio.timeout(_LAST_WRITES):
                    await runner.until(lambda: not runner.running)
            except TimeoutError:
                waiting = [run.call.id for run in runner.running.values()]
                if self._journal.problem and all(run.settled or run.accepting for run in runner.running.values()):
                    _log.error("the outcomes of %d calls could not be written, and are lost: %s", len(waiting), waiting)
                    return

    def _ended(self, call_id: str, hosted: Hosted) -> Ended | None:
        """What memory has of a call; where it has let go of the outcome, the journal knows more."""
        ended = self._ledger.get(call_id)
        return None if ended is not None and ended.outcome is None and hosted.journalled else ended

    def _repeat(self, stream: Stream, call: Call, earlier: Run | Ended) -> Failure | None:
        """Answers a call whose id was seen before, without running it again; returns why it cannot."""
        if isinstance(earlier, Ended) and earlier.outcome is None:
            return admission.forgotten()
        digest = earlier.call.digest if isinstance(earlier, Run) else earlier.digest
        if digest != call.digest:
            return reused_id()
        if isinstance(earlier, Run):
            if not self._owners.admits(earlier, call.origin.epoch):
                return admission.superseded()
            earlier.sinks.append(stream)
            stream.due += 1
        else:
            assert earlier.outcome is not None
            stream.outbox.put(earlier.outcome)
        return None
