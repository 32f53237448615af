"""CreateSession, GetSession, ListSessions and UpdateSession."""

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.api.mapping.cutting import fit
from orchestrator_svc.api.mapping.keys import request_key
from orchestrator_svc.api.mapping.lookups import page_of
from orchestrator_svc.api.mapping.sessions import created, session_message, updated
from orchestrator_svc.api.use_cases import UseCases
from orchestrator_svc.application.caller import Caller


class Conversing:
    def __init__(self, use_cases: UseCases) -> None:
        self._sessions, self._queries = use_cases.sessions, use_cases.queries

    async def create_session(self, request: pb.CreateSessionRequest, caller: Caller) -> pb.CreateSessionResponse:
        session = request.session
        found = await self._sessions.create(caller, session.session_id, created(session), request_key(request))
        return pb.CreateSessionResponse(session=session_message(*found))

    async def get_session(self, request: pb.GetSessionRequest, caller: Caller) -> pb.GetSessionResponse:
        found = await self._sessions.get(caller.tenant, request.session_id)
        return pb.GetSessionResponse(session=session_message(*found))

    async def list_sessions(self, request: pb.ListSessionsRequest, caller: Caller) -> pb.ListSessionsResponse:
        page = await self._queries.sessions(caller.tenant, page_of(request))
        sessions = fit(session_message(*found) for found in page.items)
        return pb.ListSessionsResponse(sessions=sessions, next_page_token=page.token(len(sessions)))

    async def update_session(self, request: pb.UpdateSessionRequest, caller: Caller) -> pb.UpdateSessionResponse:
        found = await self._sessions.update(caller, request.session_id, updated(request), request_key(request))
        return pb.UpdateSessionResponse(session=session_message(*found))
