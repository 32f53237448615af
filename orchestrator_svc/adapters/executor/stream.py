"""One stream to one start of an executor, from its first message to its end.

Owns what is open on it, what it may be sent, and what its messages mean. Does no I/O: a `Link` moves the messages.
"""

import logging
from collections.abc import Sequence

from greenlight.executor.v1 import executor_pb2 as pb
from orchestrator_svc.adapters.executor import incoming
from orchestrator_svc.adapters.executor.descriptors import read_descriptors
from orchestrator_svc.adapters.executor.mailbox import Mailbox
from orchestrator_svc.adapters.executor.outbox import Outbox
from orchestrator_svc.adapters.executor.slots import Slots
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect, ToolDescriptor, ToolKey
from orchestrator_svc.ports.executor import (
    Ask,
    Attached,
    Call,
    Cancel,
    ChunkReceived,
    Ended,
    ExecutorView,
    Looked,
    Progressed,
    Reminded,
    Started,
    Target,
    ToolsSeen,
)
from shared.kernel.clock import Clock

_log = logging.getLogger(__name__)
_ID_SHOWN = 200
_NOT_SENT = Failure(
    FailureClass.UNAVAILABLE, KnownEffect.NONE, "EXECUTOR_LOST", "the executor went away before it was sent", None, True
)
_WITHDRAWN = Failure(FailureClass.CANCELLED, KnownEffect.NONE, "CANCELLED", "cancelled before it was sent")


class Stream:
    """State of a live stream. `usable` tools are those that are described soundly and confirmed by the engine.

    `conflicting` are those that it refused.
    """

    def __init__(self, identity: pb.Identity, address: str, mailbox: Mailbox, clock: Clock) -> None:
        self.target = Target(identity.executor_id, identity.boot_id)
        self.slots = Slots()
        self.outbox = Outbox(self.slots)
        self.usable: frozenset[ToolKey] = frozenset()
        self.conflicting: frozenset[ToolKey] = frozenset()
        self.draining = False
        self._version = identity.version
        self._address = address
        self._mailbox = mailbox
        self._clock = clock
        self._descriptors: dict[ToolKey, ToolDescriptor] = {}
        self._malformed: dict[str, str] = {}
        self._asked: set[str] = set()
        self._looking: set[str] = set()
        self._complained: set[str] = set()
        self._stuck_threads = 0
        self._last_seen = clock.time_ns()

    # What the engine does.

    def send(self, calls: Sequence[Call]) -> bool:
        """False: it takes no more calls."""
        if self.draining:
            return False
        take = self.slots.take
        self.outbox.put_calls([call for call in calls if take(call.id, call.tool)])
        return True

    def cancel(self, cancels: Sequence[Cancel]) -> None:
        """What has not been sent ends at once."""
        call_ids = [cancel.call_id for cancel in cancels]
        withdrawn = {call.id for call in self.outbox.take_back(call_ids)} if self.outbox.holds_calls else set[str]()
        self._end_unsent(withdrawn, _WITHDRAWN)
        self.outbox.put_cancels([cancel for cancel in cancels if cancel.call_id not in withdrawn])

    def attach(self, asks: Sequence[Ask]) -> None:
        for ask in asks:
            self.slots.take_attached(ask.call_id)
            self._asked.add(ask.call_id)
        self.outbox.put_attaches(asks)

    def can_probe(self, tool: ToolKey) -> bool:
        return not self.draining and tool in self.usable and self._descriptors[tool].probes

    def probe(self, call: Call, boot_id: str, position: int) -> None:
        """`boot_id`: of the start that it was sent to; `position`: as in Ask."""
        self._looking.add(call.id)
        self.outbox.put_probe(call, pb.SentTo(boot_id=boot_id, journal_position=position))

    def use_tools(self, usable: Sequence[ToolKey], conflicting: Sequence[ToolKey]) -> None:
        self.usable = frozenset(key for key in usable if key in self._descriptors)
        self.conflicting = frozenset(conflicting)

    def end(self) -> None:
        """The stream is over. What was never handed to the transport is known not to have run."""
        self._end_unsent([call.id for call in self.outbox.take_back()], _NOT_SENT)

    # What the executor says.

    def receive(self, message: pb.ExecuteResponse) -> bool:
        """Posts what the message says. Returns whether what can be sent here has changed."""
        self._last_seen = self._clock.time_ns()
        changed = self._receive_state(message)
        if message.accepted:
            self._receive_accepted(message)
        if message.progress:
            self._receive_progress(message)
        if message.chunks:
            self._receive_chunks(message)
        if message.attach_answers:
            self._receive_attach_answers(message)
        if message.probe_answers:
            self._receive_probe_answers(message)
        if message.outcomes:
            self._receive_outcomes(message)
        if message.reminders:
            self._receive_reminders(message)
        return changed

    def _receive_outcomes(self, message: pb.ExecuteResponse) -> None:
        received = self._clock.monotonic()
        still_open, read_ending = self.slots.open, incoming.read_ending
        signals: list[Ended] = []
        for outcome in message.outcomes:
            call_id = outcome.call_id
            use = still_open.pop(call_id, None)
            if use is None:
                self._complain("an outcome of a call that is not open here (never sent, or answered before)", call_id)
                continue
            use.used -= 1
            signals.append(Ended(call_id, read_ending(outcome), received, outcome.journal_position))
        self._mailbox.post_all(signals)
        if self._asked:
            self._asked.difference_update(signal.call_id for signal in signals)
        if self.outbox.holds_calls:
            self.outbox.wake.set()

    def _receive_state(self, message: pb.ExecuteResponse) -> bool:
        changed = False
        if message.HasField("slots"):
            self.slots.grant(message.slots.total, incoming.read_limits(message.slots))
            self.outbox.wake.set()
            changed = True
        if message.tools:
            self._receive_tools(message)
            changed = True
        if message.draining and not self.draining:
            self.draining = changed = True
            self._end_unsent([call.id for call in self.outbox.take_back()], _NOT_SENT)
        self._stuck_threads = max(0, message.stuck_threads)
        return changed

    def _receive_tools(self, message: pb.ExecuteResponse) -> None:
        sound, malformed = read_descriptors(message.tools)
        for name, problem in malformed.items():
            if self._malformed.get(name) != problem:
                _log.warning("%s describes the tool %s, which is not used: %s", self, name, problem)
        before, self._descriptors = self._descriptors, {descriptor.key: descriptor for descriptor in sound}
        self._malformed, self.conflicting = malformed, frozenset()
        self.usable = frozenset(key for key in self.usable if self._descriptors.get(key) == before[key])
        self._mailbox.post(ToolsSeen(self.target, sound))

    def _receive_accepted(self, message: pb.ExecuteResponse) -> None:
        for accepted in message.accepted:
            if self._is_open(accepted.call_id, "an acceptance"):
                start_time = incoming.read_start_time(accepted)
                start_time = self._last_seen if start_time is None else start_time
                self._mailbox.post(Started(accepted.call_id, start_time, accepted.journal_position))

    def _receive_progress(self, message: pb.ExecuteResponse) -> None:
        for progress in message.progress:
            if self._is_open(progress.call_id, "progress"):
                self._mailbox.post(Progressed(progress.call_id, *incoming.read_progress(progress)))

    def _receive_chunks(self, message: pb.ExecuteResponse) -> None:
        for chunk in message.chunks:
            if not self._is_open(chunk.call_id, "a chunk"):
                continue
            if incoming.is_chunk(chunk):
                self._mailbox.post(ChunkReceived(chunk.call_id, chunk.index, chunk.chunk_json))
            else:
                self._complain("a chunk that is no JSON, too large or of negative index", chunk.call_id)

    def _receive_attach_answers(self, message: pb.ExecuteResponse) -> None:
        for answer in message.attach_answers:
            call_id = answer.call_id
            if call_id not in self._asked:
                self._complain("an answer to an attach that was not asked", call_id)
                continue
            self._asked.discard(call_id)
            state = incoming.read_attach_state(answer.state)
            if state not in ("running", "ended"):
                self.slots.release(call_id)
            self._mailbox.post(Attached(call_id, state))

    def _receive_probe_answers(self, message: pb.ExecuteResponse) -> None:
        for answer in message.probe_answers:
            if answer.call_id not in self._looking:
                self._complain("an answer to a probe that was not asked", answer.call_id)
                continue
            self._looking.discard(answer.call_id)
            look = incoming.read_look(answer)
            self._mailbox.post(Looked(answer.call_id, self.target, look, answer.over))

    def _receive_reminders(self, message: pb.ExecuteResponse) -> None:
        for reminder in message.reminders:
            outcome = reminder.outcome
            if incoming.is_reminder(reminder):
                ending = incoming.read_ending(outcome)
                position = outcome.journal_position
                self._mailbox.post(Reminded(outcome.call_id, reminder.tenant, self.target, ending, position))
            else:
                self._complain("a reminder that names no call", outcome.call_id)

    def _is_open(self, call_id: str, what: str) -> bool:
        if call_id in self.slots.open:
            return True
        self._complain(f"{what} for a call that is not open here", call_id)
        return False

    def _end_unsent(self, call_ids: "Sequence[str] | set[str]", failure: Failure) -> None:
        now = self._clock.monotonic()
        for call_id in call_ids:
            self.slots.release(call_id)
            self._mailbox.post(Ended(call_id, Ending(None, failure), now))

    def _complain(self, what: str, call_id: str) -> None:
        """Once for each kind of fault and stream: a broken executor must not fill the log."""
        if what not in self._complained:
            self._complained.add(what)
            _log.warning("%s sent %s: %r; ignored, and so is every later one", self, what, call_id[:_ID_SHOWN])

    def view(self, connected: bool) -> ExecutorView:
        return ExecutorView(
            *self.target,
            self._address,
            self._version,
            connected,
            self.draining,
            sorted(str(key) for key in self.usable),
            sorted({*map(str, self.conflicting), *self._malformed}),
            len(self.slots.open) if connected else 0,
            self.slots.total if connected else 0,
            self._stuck_threads,
            self._last_seen,
        )

    def __str__(self) -> str:
        return f"executor {self.target.executor_id[:_ID_SHOWN]} at {self._address}"
