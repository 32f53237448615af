"""Old events in the memory store: the same slices as in a database."""

from collections.abc import Iterable

from orchestrator_svc.adapters.store.memory_batches import KeptBatch
from orchestrator_svc.ports.store import SLICE_BYTES, SLICE_FRAMES, Compaction


def compactable(batches: Iterable[KeptBatch], tenant: str | None, before: int) -> Compaction:
    found = _old(batches, tenant, before)
    return Compaction(len(found), sum(kept.header.head + 1 - kept.oldest for kept in found), more=False)


def compact(batches: Iterable[KeptBatch], tenant: str | None, before: int) -> Compaction:
    done = events = taken = size = 0
    found = _old(batches, tenant, before)
    for kept in found:
        was = kept.oldest
        while kept.frames and taken < SLICE_FRAMES and size < SLICE_BYTES:
            frame = kept.frames.pop(0)
            taken, size, kept.oldest = taken + 1, size + len(frame.payload), frame.last + 1
        for sequence in [sequence for sequence in kept.record_times if sequence < kept.oldest]:
            del kept.record_times[sequence]
        events += kept.oldest - was
        done += not kept.frames
        if taken >= SLICE_FRAMES or size >= SLICE_BYTES:
            return Compaction(done, events, more=True)
    return Compaction(done, events, more=False)


def _old(batches: Iterable[KeptBatch], tenant: str | None, before: int) -> list[KeptBatch]:
    found = [
        kept
        for kept in batches
        if kept.header.finish_time is not None
        and kept.header.finish_time < before
        and kept.oldest <= kept.header.head
        and tenant in (None, kept.shell.tenant)
    ]
    return sorted(found, key=lambda kept: kept.header.finish_time or 0)
