"""The writer's other transactions: sessions, requests, tools. The caller begins and ends them."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, delete, select, tuple_, update

from orchestrator_svc.adapters.store.dialects import upsert
from orchestrator_svc.adapters.store.documents import write_map
from orchestrator_svc.adapters.store.reading.tools import write_descriptor
from orchestrator_svc.adapters.store.tables import commands, record_times, requests, sessions, tools
from orchestrator_svc.domain.tool import ToolDescriptor, ToolKey
from orchestrator_svc.ports.store import Request, Session


def record(connection: Connection, times: Sequence[tuple[int, int, int]]) -> None:
    statement = upsert(connection.dialect, record_times).on_conflict_do_nothing()
    connection.execute(
        statement, [{"batch_no": number, "sequence": sequence, "duration": ns} for number, sequence, ns in times]
    )


def create_session(connection: Connection, session: Session, request: Request | None) -> bool:
    return _with_request(
        connection, session.tenant, request, session.create_time, lambda: _create_session(connection, session)
    )


def update_session(connection: Connection, session: Session, expected_revision: int, request: Request | None) -> bool:
    return _with_request(
        connection,
        session.tenant,
        request,
        session.update_time,
        lambda: _update_session(connection, session, expected_revision),
    )


def _with_request(
    connection: Connection, tenant: str, request: Request | None, now: int, write: Callable[[], bool]
) -> bool:
    """The request first: whoever makes the same one meanwhile waits there, and then has nothing to write.

    A commit of batches has it the other way round. Only where one id is used for both do they wait for each other, and
    the database gives one of them up, which is tried again.
    """
    if request is None:
        return write()
    if not claim_request(connection, tenant, request, now):
        return False
    written = write()
    if not written:
        which = (requests.c.tenant == tenant, requests.c.request_id == request.request_id)
        connection.execute(delete(requests).where(*which))
    return written


def _create_session(connection: Connection, session: Session) -> bool:
    statement = upsert(connection.dialect, sessions).on_conflict_do_nothing().returning(sessions.c.id)
    row = {
        "tenant": session.tenant,
        "id": session.id,
        "title": session.title,
        "context": session.context,
        "labels": write_map(session.labels),
        "revision": session.revision,
        "last_session_no": 0,
        "batch_count": 0,
        "proposal_count": 0,
        "create_time": session.create_time,
        "update_time": session.update_time,
    }
    return connection.execute(statement, row).first() is not None


def _update_session(connection: Connection, session: Session, expected_revision: int) -> bool:
    statement = (
        update(sessions)
        .where(
            sessions.c.tenant == session.tenant,
            sessions.c.id == session.id,
            sessions.c.revision == expected_revision,
        )
        .values(
            title=session.title,
            context=session.context,
            labels=write_map(session.labels),
            revision=expected_revision + 1,
            update_time=session.update_time,
        )
    )
    return connection.execute(statement).rowcount == 1


def claim_request(connection: Connection, tenant: str, request: Request, now: int) -> bool:
    """False: it was there."""
    statement = upsert(connection.dialect, requests).on_conflict_do_nothing().returning(requests.c.request_id)
    row = {
        "tenant": tenant,
        "request_id": request.request_id,
        "kind": request.kind,
        "payload_hash": request.payload_hash,
        "chosen": request.chosen,
        "create_time": now,
    }
    return connection.execute(statement, row).first() is not None


def forget_requests(connection: Connection, before: int) -> int:
    old = select(requests.c.tenant, requests.c.request_id).where(requests.c.create_time < before)
    connection.execute(delete(commands).where(tuple_(commands.c.tenant, commands.c.request_id).in_(old)))
    return connection.execute(delete(requests).where(requests.c.create_time < before)).rowcount


def _place(descriptor: ToolDescriptor) -> tuple[str, str]:
    """One order for all, so that no two orchestrators wait for each other in a circle."""
    return descriptor.key.name, descriptor.key.version


def save_tools(connection: Connection, descriptors: Sequence[ToolDescriptor], now: int) -> list[ToolKey]:
    different: list[ToolKey] = []
    statement = upsert(connection.dialect, tools).on_conflict_do_nothing().returning(tools.c.name)
    for descriptor in sorted(descriptors, key=_place):
        name, version = descriptor.key.name, descriptor.key.version
        text = write_descriptor(descriptor)
        row = {"name": name, "version": version, "descriptor": text, "first_seen": now}
        if connection.execute(statement, row).first() is None:
            known = select(tools.c.descriptor).where(tools.c.name == name, tools.c.version == version)
            if connection.execute(known).scalar_one() != text:
                different.append(descriptor.key)
    return different
