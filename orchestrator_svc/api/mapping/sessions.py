"""Sessions: as they are sent, and as messages."""

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import session_pb2
from orchestrator_svc.api.mapping.values import timestamp
from orchestrator_svc.application.sessions import SessionUpdate
from orchestrator_svc.ports.store import Session, SessionStatistics


def created(session: session_pb2.Session) -> SessionUpdate:
    return SessionUpdate(session.title, session.context_json, dict(session.labels))


def updated(request: pb.UpdateSessionRequest) -> SessionUpdate:
    return SessionUpdate(
        request.title if request.HasField("title") else None,
        request.context_json if request.HasField("context_json") else None,
        dict(request.labels.items) if request.HasField("labels") else None,
        request.revision if request.HasField("revision") else None,
    )


def session_message(session: Session, statistics: SessionStatistics) -> session_pb2.Session:
    return session_pb2.Session(
        session_id=session.id,
        title=session.title,
        context_json=session.context,
        labels=session.labels,
        revision=session.revision,
        statistics=session_pb2.SessionStatistics(
            batches=statistics.batches,
            unfinished_batches=statistics.unfinished_batches,
            proposals=statistics.proposals,
            pending_decisions=statistics.pending_decisions,
        ),
        create_time=timestamp(session.create_time),
        update_time=timestamp(session.update_time),
    )
