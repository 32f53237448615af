"""Batches as they are shown and watched: heads, views, frames. Published ones only."""

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection, and_, func, select, union_all

from orchestrator_svc.adapters.store.documents import read_map
from orchestrator_svc.adapters.store.reading.any_rows import AnyRow
from orchestrator_svc.adapters.store.reading.joined import PROPOSALS, of_batches
from orchestrator_svc.adapters.store.tables import REOPENED, UNPUBLISHED, batches, frames, proposals, standings
from orchestrator_svc.domain.batch import MAX_MISSING
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.codec import StoredFrame
from orchestrator_svc.ports.store import BatchHead
from orchestrator_svc.ports.views import NEVER, AgentTally, BatchView

_UNKNOWN = int(ProposalState.OUTCOME_UNKNOWN)
_HEAD = select(
    batches.c.id,
    batches.c.batch_no,
    batches.c.head,
    batches.c.state,
    batches.c.session_id,
    batches.c.session_no,
    batches.c.reopened_after,
    batches.c.oldest,
).where(batches.c.published == 1)


def _head(row: AnyRow) -> BatchHead:
    state = BatchState(row.state)
    return BatchHead(row.batch_no, row.head, state, row.session_id, row.session_no, row.reopened_after, row.oldest)


def head(connection: Connection, tenant: str, batch_id: str) -> BatchHead | None:
    statement = _HEAD.where(batches.c.tenant == tenant, batches.c.id == batch_id)
    row = connection.execute(statement).first()
    return _head(row) if row is not None else None


def session_heads(
    connection: Connection, tenant: str, session_id: str, after_no: int, also: Sequence[int]
) -> list[tuple[str, BatchHead]]:
    """Those above one that is still being written wait for it: a cursor at a higher number would never see it."""
    of_session = and_(batches.c.tenant == tenant, batches.c.session_id == session_id)
    hidden = connection.execute(select(func.min(batches.c.session_no)).where(of_session, UNPUBLISHED))
    until = hidden.scalar() or NEVER
    number = batches.c.session_no
    statement = union_all(  # to compare rows SQLite would sort them by id, and go through a tenant's for that
        _HEAD.where(of_session, number > after_no, number < until),
        _HEAD.where(of_session, number.in_(also)),
        _HEAD.where(of_session, number < until, REOPENED),
    )
    found = {row.id: _head(row) for row in connection.execute(statement.order_by("session_no"))}
    return list(found.items())


def read_frames(connection: Connection, number: int, after: int, limit_bytes: int) -> list[StoredFrame]:
    """A few at a time, since only their payloads tell how large they are."""
    first = (
        select(func.coalesce(func.max(frames.c.first_sequence), 0))
        .where(frames.c.batch_no == number, frames.c.first_sequence <= after + 1)
        .scalar_subquery()
    )
    statement = (
        select(frames.c.first_sequence, frames.c.last_sequence, frames.c.payload)
        .where(frames.c.batch_no == number, frames.c.first_sequence >= first, frames.c.last_sequence > after)
        .order_by(frames.c.first_sequence)
    )
    found: list[StoredFrame] = []
    size = 0
    for row in connection.execute(statement).yield_per(32):
        found.append(StoredFrame(row.first_sequence, row.last_sequence, row.payload))
        size += len(row.payload)
        if size >= limit_bytes:
            break
    return found


def views(connection: Connection, rows: Sequence[AnyRow]) -> list[BatchView]:
    """Two queries for all of them; more where something is missing, or unknown."""
    if not rows:
        return []
    agents = _agents(connection, [row.batch_no for row in rows])
    missing = _missing(connection, [row.batch_no for row in rows if BatchState(row.state).finished])
    counts = {row.batch_no: tuple(orjson.loads(row.counts)) for row in rows}
    given_up = _given_up(connection, [number for number, of_batch in counts.items() if of_batch[_UNKNOWN]])
    return [
        _view(
            row,
            counts[row.batch_no],
            given_up.get(row.batch_no, 0),
            agents.get(row.batch_no, []),
            missing.get(row.batch_no, []),
        )
        for row in rows
    ]


def _view(
    row: AnyRow, counts: tuple[int, ...], given_up: int, agents: list[AgentTally], missing: list[str]
) -> BatchView:
    return BatchView(
        id=row.id,
        tenant=row.tenant,
        number=row.batch_no,
        session_id=row.session_id,
        session_no=row.session_no,
        name=row.name,
        labels=read_map(row.labels),
        template=row.template,
        principal=row.principal,
        trace_id=row.trace_id,
        state=BatchState(row.state),
        head=row.head,
        counts=counts,
        asked=row.asked,
        given_up=given_up,
        open=bool(row.open),
        max_in_flight=row.max_in_flight,
        create_time=row.create_time,
        finish_time=row.finish_time,
        deadline_time=row.deadline_time,
        agents=agents,
        missing=missing,
    )


def _agents(connection: Connection, numbers: Sequence[int]) -> dict[int, list[AgentTally]]:
    first = func.min(proposals.c.ordinal).label("first")
    statement = (
        select(proposals.c.batch_no, proposals.c.agent, standings.c.state, func.count().label("total"), first)
        .select_from(PROPOSALS)
        .where(of_batches(connection, numbers))
        .group_by(proposals.c.batch_no, proposals.c.agent, standings.c.state)
        .order_by(proposals.c.batch_no, first)
    )
    tallies: dict[int, dict[str, list[int]]] = {}
    for row in connection.execute(statement):
        of_batch = tallies.setdefault(row.batch_no, {})
        of_batch.setdefault(row.agent, [0] * (len(ProposalState) + 1))[row.state] += row.total
    return {
        number: [AgentTally(name, tuple(counts)) for name, counts in of_batch.items()]
        for number, of_batch in tallies.items()
    }


def _given_up(connection: Connection, numbers: Sequence[int]) -> dict[int, int]:
    if not numbers:
        return {}
    statement = (
        select(proposals.c.batch_no, func.count().label("total"))
        .select_from(PROPOSALS)
        .where(of_batches(connection, numbers), standings.c.state == _UNKNOWN, standings.c.finish_time > 0)
        .group_by(proposals.c.batch_no)
    )
    return {row.batch_no: row.total for row in connection.execute(statement)}


def _missing(connection: Connection, numbers: Sequence[int]) -> dict[int, list[str]]:
    if not numbers:
        return {}
    place = func.row_number().over(partition_by=proposals.c.batch_no, order_by=proposals.c.ordinal).label("place")
    ranked = (
        select(proposals.c.batch_no, proposals.c.key, place)
        .select_from(PROPOSALS)
        .where(of_batches(connection, numbers), standings.c.state != int(ProposalState.SUCCEEDED))
        .subquery()
    )
    statement = select(ranked.c.batch_no, ranked.c.key).where(ranked.c.place <= MAX_MISSING)
    missing: dict[int, list[str]] = {}
    for row in connection.execute(statement.order_by(ranked.c.batch_no, ranked.c.place)):
        missing.setdefault(row.batch_no, []).append(row.key)
    return missing
