"""What shows a proposal's wait, and what a Summary is made of. Reads committed rows only."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType
from typing import TypeVar

from orchestrator_svc.application.engine.live import LiveBatches
from orchestrator_svc.application.engine.outlook import Outlook
from orchestrator_svc.application.memory_views import batch_view, proposal_views
from orchestrator_svc.application.structure import SLICE
from orchestrator_svc.application.watch import Ended
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.ports.executor import Executors
from orchestrator_svc.ports.store import Store
from orchestrator_svc.ports.views import BatchFilter, BatchView, ProposalView

M = TypeVar("M")
MAX_MOVING = 128
"""A batch that may move on is shown from memory only where that takes a moment."""
MAX_BATCHES = 1000
MESSAGE_BYTES = 3 << 20
"""What a message holds: no more is read of answers, and no more of their results."""
ENOUGH_BYTES = MESSAGE_BYTES
"""What is read of a session: its last batches, and their answers up to this size."""
_BARE_BYTES = 64


class WaitingReason(IntEnum):
    """Numbers are those of the wire."""

    DECISION = 1
    DEPENDENCIES = 2
    CAPACITY = 3
    EXECUTOR = 4
    BACKOFF = 5
    RESOLUTION = 6
    MATCHING_EXECUTOR = 7
    LOST_EXECUTOR = 8


@dataclass(frozen=True, slots=True)
class Waiting:
    """Times in ns since 1970; `until` None: it does not end by itself."""

    reason: WaitingReason
    since: int
    until: int | None = None
    keys: tuple[str, ...] = ()


def waiting(view: ProposalView, executors: Executors, outlook: Outlook) -> Waiting | None:
    """Why a proposal that has not ended is not running, or not heard of; None: it runs or has ended."""
    proposal = view.proposal
    if proposal.state is State.OUTCOME_UNKNOWN:
        finished = proposal.attempts[-1].finish_time if proposal.attempts else None
        return Waiting(WaitingReason.RESOLUTION, finished or proposal.create_time, proposal.next_time)
    if proposal.state is State.PROPOSED and proposal.asked_time is not None:
        return Waiting(WaitingReason.DECISION, proposal.asked_time, proposal.expire_time)
    if proposal.state is State.RUNNING:
        unheard = outlook.unheard(f"{view.batch_id}/{proposal.key}/{len(proposal.attempts)}")
        return None if unheard is None else Waiting(WaitingReason.LOST_EXECUTOR, unheard.since, unheard.until)
    if proposal.state not in (State.PROPOSED, State.APPROVED):
        return None
    if view.waiting_for:
        return Waiting(WaitingReason.DEPENDENCIES, proposal.create_time, None, tuple(view.waiting_for))
    if proposal.next_time is not None and proposal.next_time > outlook.now():
        return Waiting(WaitingReason.BACKOFF, _last_end(proposal), proposal.next_time)
    since = proposal.next_time or proposal.ready_time or proposal.create_time
    if executors.serves(proposal.tool):
        return Waiting(WaitingReason.CAPACITY, since)
    differs = executors.differs(proposal.tool)
    reason = WaitingReason.MATCHING_EXECUTOR if differs else WaitingReason.EXECUTOR
    return Waiting(reason, since, outlook.unserved(view.batch_id, proposal.tool, since))


def _last_end(proposal: Proposal) -> int:
    return (proposal.attempts[-1].finish_time if proposal.attempts else None) or proposal.create_time


@dataclass(frozen=True, slots=True)
class Answered:
    """A proposal in a Summary."""

    view: ProposalView
    waiting: Waiting | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one batch or several; answers in input order. `left_out`: answers that were not even read.

    `looked_at`: batches that it shows from memory, and the sequences that they had. `waited`: `max_wait` ended it.
    """

    batches: list[BatchView]
    answers: list[Answered]
    left_out: int = 0
    looked_at: list[tuple[Batch, int]] = field(default_factory=list[tuple[Batch, int]])
    waited: bool = False

    @property
    def holds(self) -> bool:
        """Whether none of these has moved on since."""
        return all(batch.head == sequence for batch, sequence in self.looked_at)


class Summaries:
    """Where a batch in memory stands exactly at the sequence asked for, it is shown from there, else from the store."""

    def __init__(self, store: Store, live: LiveBatches, executors: Executors, outlook: Outlook) -> None:
        self._store, self._live, self._executors, self._outlook = store, live, executors, outlook

    async def make(
        self,
        message: Callable[[Summary], Awaitable[M]],
        tenant: str,
        ended: Ended,
        only: set[str] | None = None,
    ) -> M | None:
        """A message of what `of` gives, which takes its time. None: there is more to come, a batch has moved on.

        Where it is over all the same, it is of what is on record.
        """
        summary = await self.of(tenant, ended.batch_ids, only, ended.at)
        made = await _made(message, summary, ended)
        if summary.holds:
            return made
        return await _made(message, await self.of(tenant, ended.batch_ids, only), ended) if ended.over else None

    async def of(
        self,
        tenant: str,
        batch_ids: Sequence[str],
        only: set[str] | None = None,
        at: Mapping[str, int] = MappingProxyType({}),
    ) -> Summary:
        """`only`: ids of the proposals that it is about (None: all). `at`: batch id -> committed sequence."""
        batches, answers, size, left_out = list[BatchView](), list[Answered](), 0, 0
        looked_at: list[tuple[Batch, int]] = []
        wanted = _keys(only) if only is not None else None
        for batch_id in batch_ids:
            keys = wanted.get(batch_id, set[str]()) if wanted is not None else None
            live = self._in_memory(tenant, batch_id, at.get(batch_id, -1))
            if live is not None:
                looked_at.append((live, live.head))
                found = batch_view(live), proposal_views(live)
            else:
                found = await self._read(tenant, batch_id, size, keys)
            if found is None:
                continue
            batch, views = found
            batches.append(batch)
            chosen = [view for view in views if keys is None or view.proposal.key in keys]
            answers += await self._each_answered(chosen)
            size += _size(chosen)
            left_out += (sum(batch.counts) if keys is None else len(keys)) - len(chosen)
        return Summary(batches, answers, left_out, looked_at)

    async def make_of_session(
        self, message: Callable[[Summary], Awaitable[M]], tenant: str, session_id: str, ended: Ended
    ) -> M | None:
        """None: there is more to come."""
        return await _made(message, await self.of_session(tenant, session_id), ended)

    async def of_session(self, tenant: str, session_id: str) -> Summary:
        """From its last batch back: answers until there are enough, batches until there are many."""
        found = await self._last_batches(tenant, session_id)
        batches, answers, size, left_out = list[BatchView](), list[list[Answered]](), 0, 0
        for listed in found:
            batch, views = (await self._read(tenant, listed.id, size) if size < ENOUGH_BYTES else None) or (listed, [])
            batches.append(batch)
            answers.append(await self._each_answered(views))
            size += _size(views)
            left_out += sum(batch.counts) - len(views)
        return Summary(batches[::-1], [answer for part in reversed(answers) for answer in part], left_out)

    async def _last_batches(self, tenant: str, session_id: str) -> list[BatchView]:
        found, below = await self._store.list_batches(tenant, BatchFilter(session_id=session_id), None, MAX_BATCHES)
        while below is not None and (left := MAX_BATCHES - len(found)) > 0:
            page, below = await self._store.list_batches(tenant, BatchFilter(session_id=session_id), below, left)
            found += page
        return found

    async def _read(
        self, tenant: str, batch_id: str, size: int, keys: set[str] | None = None
    ) -> tuple[BatchView, list[ProposalView]] | None:
        """`size`: of what was read already."""
        if size >= MESSAGE_BYTES:
            batch = await self._store.get_batch(tenant, batch_id)
            return (batch, []) if batch is not None else None
        left = MESSAGE_BYTES - size
        return await self._store.get_batch_answers(tenant, batch_id, left, left, keys)

    def _in_memory(self, tenant: str, batch_id: str, sequence: int) -> Batch | None:
        batch = self._live.at(tenant, batch_id, sequence)
        return batch if batch and (batch.state.finished or len(batch.proposals) <= MAX_MOVING) else None

    async def _each_answered(self, views: Sequence[ProposalView]) -> list[Answered]:
        """In slices: a large batch does not hold up its neighbours."""
        answers: list[Answered] = []
        for start in range(0, len(views), SLICE):
            if start:
                await asyncio.sleep(0)
            answers += [self.answered(view) for view in views[start : start + SLICE]]
        return answers

    def answered(self, view: ProposalView) -> Answered:
        return Answered(view, waiting(view, self._executors, self._outlook))


async def _made(message: Callable[[Summary], Awaitable[M]], summary: Summary, ended: Ended) -> M | None:
    waited = not ended.reached(summary.batches)
    return None if waited and not ended.over else await message(replace(summary, waited=waited))


def _keys(ids: set[str]) -> dict[str, set[str]]:
    """By batch."""
    keys: dict[str, set[str]] = {}
    for proposal_id in ids:
        batch_id, _, key = proposal_id.partition("/")
        keys.setdefault(batch_id, set()).add(key)
    return keys


def _size(views: Sequence[ProposalView]) -> int:
    return sum(len(view.proposal.result or "") + _BARE_BYTES for view in views)
