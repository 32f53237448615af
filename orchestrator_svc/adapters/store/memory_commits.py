"""What the memory store holds, and how a group of batches is written into it: the same rules as in a database."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator_svc.adapters.store.memory_batches import KeptBatch, empty_copy
from orchestrator_svc.domain.changes import BatchWrite, CommandRecord
from orchestrator_svc.ports.codec import EventCodec
from orchestrator_svc.ports.commands import CommandId, SentCommand
from orchestrator_svc.ports.store import Committed, Request, Session, StoredTool

_log = logging.getLogger(__name__)
Key = tuple[str, str]


@dataclass
class KeptStart:
    """Of an orchestrator: when it began, how often it was renewed, and whether it has ended."""

    time: int
    counter: int = 0
    superseded: bool = False


@dataclass
class KeptCommand:
    """One that was sent, when, and the refusal if there is one."""

    command: SentCommand
    time: int
    refusal: bytes | None = None


@dataclass
class Holdings:
    """Keys are (tenant, id); tools by (name, version). Requests with the time at which they were made."""

    batches: dict[Key, KeptBatch] = field(default_factory=dict[Key, KeptBatch])
    sessions: dict[Key, Session] = field(default_factory=dict[Key, Session])
    last_session_no: dict[Key, int] = field(default_factory=dict[Key, int])
    requests: dict[Key, tuple[Request, int]] = field(default_factory=dict[Key, tuple[Request, int]])
    tools: dict[Key, StoredTool] = field(default_factory=dict[Key, StoredTool])
    positions: dict[str, int] = field(default_factory=dict[str, int])
    starts: dict[str, KeptStart] = field(default_factory=dict[str, KeptStart])
    inbox: dict[CommandId, KeptCommand] = field(default_factory=dict[CommandId, KeptCommand])
    last_number: int = 0

    def find(self, tenant: str, batch_id: str) -> KeptBatch | None:
        """If it is published."""
        kept = self.batches.get((tenant, batch_id))
        return kept if kept is not None and kept.published else None

    def forget_starts(self, before: int) -> None:
        """Those that were ended, and began before that time."""
        named = {kept.incarnation for kept in self.batches.values()}
        for incarnation, start in list(self.starts.items()):
            if start.superseded and start.time < before and incarnation not in named:
                del self.starts[incarnation]

    def end(self, incarnation: str) -> None:
        """What is this start's belongs to nobody and is due at once, or goes if it was never published."""
        self.starts[incarnation].superseded = True
        for kept in [kept for kept in self.batches.values() if kept.incarnation == incarnation]:
            if kept.published:
                kept.release()
            else:
                self.remove(kept)

    def commit(self, writes: Sequence[BatchWrite], codec: EventCodec, now: int) -> Committed:
        committed = Committed()
        for write in writes:
            if not self._is_writers(write):
                self._lose(write, committed.lost)
            elif not self._write(write, codec, committed, now):
                self._lose(write, committed.unwritable)
        return committed

    def _is_writers(self, write: BatchWrite) -> bool:
        """Whether it is still the writer's, and its requests have yet to be carried out."""
        kept = self.batches.get((write.batch.tenant, write.batch.id))
        if not write.created and (kept is None or not kept.accepts(write)):
            return False
        claims = write.commands[:1] if write.created or write.publish else ()
        if len({command.request_id for command in write.commands}) < len(write.commands):
            return False
        return not any(self._is_taken(write, command, command in claims) for command in write.commands)

    def _is_taken(self, write: BatchWrite, command: CommandRecord, claims: bool) -> bool:
        """Whether its request is another's, or was carried out. `claims`: by its request the batch is made."""
        known, _ = self.requests.get((write.batch.tenant, command.request_id), (None, 0))
        if known is None:
            return False
        same = (known.kind, known.payload_hash) == (command.kind, command.payload_hash)
        return claims or not same or write.batch.id in known.answers

    def _write(self, write: BatchWrite, codec: EventCodec, committed: Committed, now: int) -> bool:
        """False where it cannot be written."""
        try:
            frames = codec.encode(write.batch.id, write.events)
        except Exception:
            _log.exception("batch %s cannot be written and is dropped", write.batch.id)
            return False
        kept = self.batches.get((write.batch.tenant, write.batch.id))
        if write.created is (kept is not None):
            _log.error("batch %s cannot be written and is dropped: it is on record", write.batch.id)
            return False
        if kept is None:
            kept = self.batches[write.batch.tenant, write.batch.id] = self._create(write)
            committed.created[write.batch.id] = (kept.number, kept.session_no)
        kept.apply(write, frames)
        committed.frames[write.batch.id] = frames
        for command in write.commands:
            self._remember(write, command, now)
        for executor_id, position in write.positions.items():
            self.positions[executor_id] = max(position, self.positions.get(executor_id, 0))
        return True

    def _remember(self, write: BatchWrite, command: CommandRecord, now: int) -> None:
        request = Request(command.request_id, command.kind, command.payload_hash, b"", {})
        request, _ = self.requests.setdefault((write.batch.tenant, command.request_id), (request, now))
        request.answers[write.batch.id] = command.answer

    def _create(self, write: BatchWrite) -> KeptBatch:
        batch = write.batch
        session = (batch.tenant, batch.session_id)
        if session not in self.sessions:
            self.sessions[session] = Session(
                batch.session_id, batch.tenant, "", batch.context, {}, 1, batch.create_time, batch.create_time
            )
        self.last_number += 1
        self.last_session_no[session] = self.last_session_no.get(session, 0) + 1
        return KeptBatch(
            shell=empty_copy(batch),
            header=write.header,
            number=self.last_number,
            session_no=self.last_session_no[session],
            epoch=batch.epoch,
            incarnation=batch.incarnation,
            published=False,
            request_id=write.commands[0].request_id if write.commands else "",
        )

    def _lose(self, write: BatchWrite, lost: set[str]) -> None:
        lost.add(write.batch.id)
        kept = self.batches.get((write.batch.tenant, write.batch.id))
        if kept is not None and not kept.published and not write.created:
            self.remove(kept)

    def remove(self, kept: KeptBatch) -> None:
        """With the request that it claimed."""
        del self.batches[kept.shell.tenant, kept.shell.id]
        if kept.request_id:
            self.requests.pop((kept.shell.tenant, kept.request_id), None)
