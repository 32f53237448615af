"""What a store has to do about owners, leases and commands, in plain Python: small enough to be right at a glance."""

from dataclasses import dataclass, field
from enum import Enum

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import BatchWrite, CommandRecord
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.commands import CommandAnswer, SentCommand


class Outcome(Enum):
    """Of a commit of one batch. FENCED: its start has ended, and nothing was written."""

    WRITTEN = "written"
    LOST = "lost"
    FENCED = "fenced"


@dataclass
class Row:
    """A batch. `owner` '': nobody's. `place`: in the order in which they were made."""

    place: int
    epoch: int
    head: int = 0
    owner: str = ""
    wake: int | None = None
    idle: bool = False
    visible: bool = False


@dataclass
class Start:
    counter: int = 0
    ended: bool = False


@dataclass
class Sent:
    command: SentCommand
    time: int
    refusal: bytes | None = None


@dataclass
class StoreModel:
    """Rows by batch id; answers and inbox by (request id, batch id). One tenant."""

    rows: dict[str, Row] = field(default_factory=dict[str, Row])
    starts: dict[str, Start] = field(default_factory=dict[str, Start])
    requests: dict[str, CommandRecord] = field(default_factory=dict[str, CommandRecord])
    answers: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    inbox: dict[tuple[str, str], Sent] = field(default_factory=dict[tuple[str, str], Sent])
    places: int = 0

    # -- starts

    def end(self, start: str) -> None:
        self.starts[start].ended = True
        for batch_id, row in list(self.rows.items()):
            if row.owner == start and not row.visible:
                del self.rows[batch_id]
            elif row.owner == start:
                row.owner, row.epoch = "", row.epoch + 1
                row.wake = row.wake if row.idle else 0

    def supersede(self, start: str, counter: int) -> bool:
        found = self.starts[start]
        if found.ended or found.counter != counter:
            return False
        self.end(start)
        return True

    def others(self, start: str) -> dict[str, int]:
        return {name: one.counter for name, one in self.starts.items() if name != start and not one.ended}

    # -- batches

    def commit(self, start: str, write: BatchWrite) -> Outcome:
        if self.starts[start].ended:
            return Outcome.FENCED
        batch, header = write.batch, write.header
        row = self.rows.get(batch.id)
        head = write.events[0].sequence - 1 if write.events else header.head
        if not write.created and (row is None or (row.epoch, row.head) != (batch.epoch, head)):
            return self._drop(write, Outcome.LOST)
        if row is not None and row.owner not in ("", start):
            return self._drop(write, Outcome.LOST)
        if any(self._is_taken(write, command) for command in write.commands):
            return self._drop(write, Outcome.LOST)
        if row is None:
            self.places += 1
            row = self.rows[batch.id] = Row(self.places, batch.epoch)
        row.head, row.owner, row.wake = header.head, start if header.owned else "", header.wake_time
        row.idle, row.visible = header.state is BatchState.IDLE, row.visible or write.publish
        for command in write.commands:
            self.requests.setdefault(command.request_id, command)
            self.answers[command.request_id, batch.id] = command.answer
        return Outcome.WRITTEN

    def _is_taken(self, write: BatchWrite, command: CommandRecord) -> bool:
        """Whether its request has made a batch, is another one, or was answered."""
        known = self.requests.get(command.request_id)
        if known is None:
            return False
        same = (known.kind, known.payload_hash) == (command.kind, command.payload_hash)
        return write.created or write.publish or not same or (command.request_id, write.batch.id) in self.answers

    def _drop(self, write: BatchWrite, outcome: Outcome) -> Outcome:
        row = self.rows.get(write.batch.id)
        if row is not None and not row.visible:
            del self.rows[write.batch.id]
        return outcome

    def take(self, start: str, batch_id: str) -> Row | str | None:
        """The row, taken; or whose it is."""
        row = self.rows.get(batch_id)
        if row is None or not row.visible:
            return None
        if row.owner not in ("", start):
            return row.owner
        row.owner, row.epoch = start, row.epoch + 1
        return row

    def waking(self) -> list[tuple[int, int, str]]:
        """(wake time, place, batch id), in the order in which they are due."""
        free = [(row.wake, row.place, id_) for id_, row in self.rows.items() if not row.owner and row.visible]
        return sorted((wake, place, id_) for wake, place, id_ in free if wake is not None)

    def knows(self, start: str, batch: Batch) -> bool:
        row = self.rows.get(batch.id)
        return row is not None and row.owner in ("", start) and (row.epoch, row.head) == (batch.epoch, batch.head)

    def let_go(self, start: str, batch: Batch, now: int) -> None:
        if self.knows(start, batch):
            row = self.rows[batch.id]
            row.owner, row.wake = "", batch.due_from(now)

    # -- commands

    def send(self, command: SentCommand, now: int) -> None:
        row = self.rows.get(command.batch_id)
        if row is not None and row.visible:
            sent = self.inbox.setdefault((command.request_id, command.batch_id), Sent(command, now))
            sent.command, sent.time, sent.refusal = sent.command._replace(sender=command.sender), now, None

    def received(self, start: str) -> list[SentCommand]:
        waiting = [
            sent
            for key, sent in self.inbox.items()
            if self.rows[key[1]].owner == start and sent.refusal is None and key not in self.answers
        ]
        return [sent.command for sent in sorted(waiting, key=lambda sent: sent.time)]

    def refuse(self, start: str, command: SentCommand, refusal: bytes) -> None:
        sent = self.inbox.get((command.request_id, command.batch_id))
        if sent is not None and self.rows[command.batch_id].owner in ("", start):
            sent.refusal = refusal

    def answer(self, request_id: str, batch_id: str) -> CommandAnswer | None:
        key = (request_id, batch_id)
        if key in self.answers:
            request = self.requests[request_id]
            return CommandAnswer(self.answers[key], None, request.kind, request.payload_hash)
        sent = self.inbox.get(key)
        if sent is None or sent.refusal is None:
            return None
        return CommandAnswer(None, sent.refusal, sent.command.kind, sent.command.payload_hash)
