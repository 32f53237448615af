"""Answers what became of calls that were sent earlier: from memory where this start knows them, else the journal."""

from dataclasses import dataclass
from functools import partial

from executor_svc.application.journal_writer import Inquiry, JournalWriter
from executor_svc.application.ledger import Ledger
from executor_svc.application.outbox import AttachEntry, AttachState
from executor_svc.application.owners import Owners
from executor_svc.application.run import Run
from executor_svc.application.runner import Runner
from executor_svc.application.streams import Stream, Streams
from executor_svc.domain.journalled import Entry, Standing, cut_off
from executor_svc.domain.tool import Effect


@dataclass(frozen=True, slots=True)
class Ask:
    """`effect`: of the call's tool when it was sent, None: not said. `position`: of the journal, as the asker knows.

    `epoch`: as the asker has the call's batch, 0: not said.
    """

    call_id: str
    boot_id: str
    effect: Effect | None
    position: int
    epoch: int = 0


class Attaching:
    """Only NON_IDEMPOTENT calls are in the journal: of others nothing can be said across starts.

    Where the journal does not have such a call it never ran: its id is fenced on disk before that is said.
    """

    def __init__(
        self,
        boot_id: str,
        runner: Runner,
        owners: Owners,
        ledger: Ledger,
        streams: Streams,
        journal: JournalWriter,
    ) -> None:
        self._boot_id = boot_id
        self._runner = runner
        self._owners = owners
        self._ledger = ledger
        self._streams = streams
        self._journal = journal

    def attach(self, stream: Stream, ask: Ask) -> None:
        call_id = ask.call_id
        if (run := self._runner.running.get(call_id)) is not None:
            if not self._owners.admits(run, ask.epoch):
                stream.outbox.put(AttachEntry(call_id, AttachState.CANNOT_SAY))
                return
            self._take_over(stream, run)
            stream.outbox.put(AttachEntry(call_id, AttachState.RUNNING))
        elif (ended := self._ledger.get(call_id)) is not None:
            state = AttachState.ENDED if ended.outcome is not None else AttachState.CANNOT_SAY
            stream.outbox.put(AttachEntry(call_id, state))
            if ended.outcome is not None:
                stream.outbox.put(ended.outcome)
        elif not (self._may_know(ask) and self._ledger.fence(call_id)):
            stream.outbox.put(AttachEntry(call_id, AttachState.CANNOT_SAY))
        elif ask.effect in (Effect.READ, Effect.IDEMPOTENT):
            stream.outbox.put(AttachEntry(call_id, AttachState.NEVER_SEEN))
        else:
            # From here on memory refuses it, whatever its tool; later starts by the journal.
            stream.due += 1
            found = partial(self._found, stream, ask)
            self._journal.ask(Inquiry(call_id, ask.boot_id, ask.position, found))

    def _may_know(self, ask: Ask) -> bool:
        return ask.boot_id == self._boot_id or ask.effect is Effect.NON_IDEMPOTENT

    def _found(self, stream: Stream, ask: Ask, known: bool, position: int, entry: Entry | None) -> None:
        stream.due -= 1
        call_id = ask.call_id
        if known and (entry is None or entry.standing is Standing.FENCED):
            stream.outbox.put(AttachEntry(call_id, AttachState.NEVER_SEEN))
            return
        self._ledger.unfence(call_id)
        if not known or (entry is not None and entry.standing is Standing.FORGOTTEN):
            stream.outbox.put(AttachEntry(call_id, AttachState.CANNOT_SAY))
        else:
            assert entry is not None
            self._ledger.recall(call_id)
            stream.outbox.put(AttachEntry(call_id, AttachState.ENDED))
            stream.outbox.put(entry.outcome or cut_off(call_id, position))

    def _take_over(self, stream: Stream, run: Run) -> None:
        for sink in run.sinks:
            sink.due -= 1
        run.sinks = [stream]
        stream.due += 1
        if run.holder is not stream:
            if run.holder is not None:
                run.holder.free(run.hosted)
            run.holder = stream
            stream.hold(run.hosted)
            self._streams.divide(self._runner.total)
