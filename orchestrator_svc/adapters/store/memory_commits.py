"""What the memory store holds, and how a group of batches is written into it: the same rules as in a database."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator_svc.adapters.store.memory_batches import KeptBatch, empty_copy
from orchestrator_svc.domain.changes import BatchWrite, CommandRecord
from orchestrator_svc.ports.codec import EventCodec, StoredFrame
from orchestrator_svc.ports.store import Committed, Request, Session, StoredTool

_log = logging.getLogger(__name__)
Key = tuple[str, str]


@dataclass
class Holdings:
    """Keys are (tenant, id); tools by (name, version). Requests with the time at which they were made."""

    batches: dict[Key, KeptBatch] = field(default_factory=dict[Key, KeptBatch])
    sessions: dict[Key, Session] = field(default_factory=dict[Key, Session])
    last_session_no: dict[Key, int] = field(default_factory=dict[Key, int])
    requests: dict[Key, tuple[Request, int]] = field(default_factory=dict[Key, tuple[Request, int]])
    tools: dict[Key, StoredTool] = field(default_factory=dict[Key, StoredTool])
    positions: dict[str, int] = field(default_factory=dict[str, int])
    last_number: int = 0

    def commit(self, writes: Sequence[BatchWrite], codec: EventCodec, now: int) -> Committed:
        committed = Committed()
        for write in writes:
            try:
                frames = codec.encode(write.batch.id, write.events)
            except Exception:
                _log.exception("batch %s cannot be written and is dropped", write.batch.id)
                frames = None
            if frames is None or not self._write(write, frames, committed, now):
                committed.lost.add(write.batch.id)
                self._remove_unpublished(write)
        return committed

    def _write(self, write: BatchWrite, frames: list[StoredFrame], committed: Committed, now: int) -> bool:
        key = (write.batch.tenant, write.batch.id)
        kept = self.batches.get(key)
        if write.created == (kept is not None) or (kept is not None and not kept.accepts(write)):
            return False
        if not self._may_answer(write):
            return False
        if kept is None:
            kept = self.batches[key] = self._create(write)
            committed.created[write.batch.id] = (kept.number, kept.session_no)
        kept.apply(write, frames)
        committed.frames[write.batch.id] = frames
        for command in write.commands:
            self._remember(write, command, now)
        for executor_id, position in write.positions.items():
            self.positions[executor_id] = max(position, self.positions.get(executor_id, 0))
        return True

    def _may_answer(self, write: BatchWrite) -> bool:
        """A request makes one batch, and is answered once by each batch."""
        for position, command in enumerate(write.commands):
            request, _ = self.requests.get((write.batch.tenant, command.request_id), (None, 0))
            makes = position == 0 and (write.created or write.publish)
            if request is not None and (makes or write.batch.id in request.answers):
                return False
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

    def _remove_unpublished(self, write: BatchWrite) -> None:
        kept = self.batches.get((write.batch.tenant, write.batch.id))
        if kept is not None and not kept.published and not write.created:
            self.remove(kept)

    def remove(self, kept: KeptBatch) -> None:
        """With the request that it claimed."""
        del self.batches[kept.shell.tenant, kept.shell.id]
        if kept.request_id:
            self.requests.pop((kept.shell.tenant, kept.request_id), None)
