"""Sessions: made, read, listed and updated; and their context values, which each batch takes along as they stand."""

import re
from collections import OrderedDict
from dataclasses import dataclass

import orjson

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.judging import check_labels
from orchestrator_svc.application.requests import Requests, request_about
from orchestrator_svc.domain.canonical import JsonError, canonical
from orchestrator_svc.ports.store import Request, Session, SessionStatistics, Store
from shared.kernel.clock import Clock
from shared.kernel.errors import (
    AlreadyExistsError,
    ConflictError,
    FieldViolation,
    InvalidError,
    NotFoundError,
)
from shared.kernel.ids import IdSource

_ID = re.compile(r"[!-.0-~]{1,128}")
_MAX_CONTEXT = 64 * 1024
_CACHED = 10_000


def unknown_session(session_id: str) -> NotFoundError:
    return NotFoundError(
        "SESSION_UNKNOWN", f"no session {session_id[:128]!r} here", metadata={"session_id": session_id[:128]}
    )


def check_session_id(session_id: str, field: str) -> list[FieldViolation]:
    if _ID.fullmatch(session_id):
        return []
    return [FieldViolation(field, "must be 1-128 visible ASCII characters except '/'")]


class SessionContexts:
    """The context values of sessions. Those lately used are kept, unless the store is `shared`: with others, who may
    change them."""

    def __init__(self, store: Store, *, shared: bool) -> None:
        self._store, self._kept = store, 0 if shared else _CACHED
        self._cache: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def get(self, tenant: str, session_id: str) -> str:
        """JSON text; "{}" for a session that does not exist yet."""
        key = (tenant, session_id)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        found = await self._store.get_session(tenant, session_id)
        if key in self._cache:  # updated since it was read
            return self._cache[key]
        if found is None:
            return "{}"
        self.put(tenant, session_id, found[0].context)
        return found[0].context

    def put(self, tenant: str, session_id: str, context: str) -> None:
        self._cache[tenant, session_id] = context
        if len(self._cache) > self._kept:
            self._cache.popitem(last=False)


@dataclass(frozen=True, slots=True)
class SessionUpdate:
    """None: unchanged."""

    title: str | None = None
    context: str | None = None
    labels: dict[str, str] | None = None
    revision: int | None = None


class Sessions:
    """Use cases of sessions."""

    def __init__(
        self, store: Store, contexts: SessionContexts, requests: Requests, ids: IdSource, clock: Clock
    ) -> None:
        self._store, self._contexts, self._requests = store, contexts, requests
        self._ids, self._clock = ids, clock

    async def create(
        self, caller: Caller, session_id: str, update: SessionUpdate, key: RequestKey | None
    ) -> tuple[Session, SessionStatistics]:
        """Raises AlreadyExistsError (SESSION_EXISTS), InvalidError (SESSION_INVALID, REQUEST_ID_REUSED)."""
        context = _check(session_id, update)
        async with self._requests.once(caller.tenant, key) as earlier:
            if earlier is not None:
                return await self.get(caller.tenant, orjson.loads(earlier.chosen)["session_id"])
            now = self._clock.time_ns()
            session = Session(
                session_id or self._ids.new(),
                caller.tenant,
                update.title or "",
                context or "{}",
                update.labels or {},
                1,
                now,
                now,
            )
            request = None if key is None else request_about(key, orjson.dumps({"session_id": session.id}))
            if not await self._store.create_session(session, request):
                earlier = None if key is None else await self._requests.remembered(caller.tenant, key)
                if earlier is None:
                    raise _exists(session.id)
                # Another orchestrator was first with the same request.
                return await self.get(caller.tenant, orjson.loads(earlier.chosen)["session_id"])
            self._contexts.put(caller.tenant, session.id, session.context)
        return await self.get(caller.tenant, session.id)

    async def get(self, tenant: str, session_id: str) -> tuple[Session, SessionStatistics]:
        """Raises NotFoundError (SESSION_UNKNOWN)."""
        found = await self._store.get_session(tenant, session_id)
        if found is None:
            raise unknown_session(session_id)
        return found

    async def list(
        self, tenant: str, before: tuple[int, str] | None, limit: int
    ) -> list[tuple[Session, SessionStatistics]]:
        return await self._store.list_sessions(tenant, before, limit)

    async def update(
        self, caller: Caller, session_id: str, update: SessionUpdate, key: RequestKey | None
    ) -> tuple[Session, SessionStatistics]:
        """Raises NotFoundError, ConflictError (REVISION_MISMATCH), InvalidError (SESSION_INVALID)."""
        context = _check("", update)
        async with self._requests.once(caller.tenant, key) as earlier:
            if earlier is not None:
                return await self.get(caller.tenant, session_id)
            request = None if key is None else request_about(key, b"{}")
            while not await self._replace(caller.tenant, session_id, update, context, request):
                # Another one came first; perhaps this very request, at another orchestrator.
                if key is not None and await self._requests.remembered(caller.tenant, key) is not None:
                    break
                if update.revision is not None:
                    raise _moved(session_id, update.revision)
        return await self.get(caller.tenant, session_id)

    async def _replace(
        self, tenant: str, session_id: str, update: SessionUpdate, context: str | None, request: Request | None
    ) -> bool:
        session, _ = await self.get(tenant, session_id)
        expected = session.revision
        if update.revision not in (None, expected):
            return False
        session.title = session.title if update.title is None else update.title
        session.context = session.context if context is None else context
        session.labels = session.labels if update.labels is None else update.labels
        session.revision, session.update_time = expected + 1, self._clock.time_ns()
        replaced = await self._store.update_session(session, expected, request)
        if replaced:
            self._contexts.put(tenant, session_id, session.context)
        return replaced


def _exists(session_id: str) -> AlreadyExistsError:
    return AlreadyExistsError(
        "SESSION_EXISTS",
        f"the session {session_id!r} exists; use it, or UpdateSession",
        metadata={"session_id": session_id},
    )


def _moved(session_id: str, revision: int) -> ConflictError:
    return ConflictError(
        "REVISION_MISMATCH", f"the session {session_id!r} is not at revision {revision}; look again, then update"
    )


def _check(session_id: str, update: SessionUpdate) -> str | None:
    """Returns the context in canonical form."""
    found: list[FieldViolation] = []
    if session_id:
        found += check_session_id(session_id, "session.session_id")
    if update.title is not None and len(update.title) > 256:
        found.append(FieldViolation("session.title", "has more than 256 characters"))
    if update.labels is not None:
        found += check_labels(update.labels, "session.labels")
    context: str | None = None
    if update.context is not None:
        try:
            value, context = canonical(update.context or "{}")
            if not isinstance(value, dict):
                raise JsonError("must be an object")
            if len(context.encode()) > _MAX_CONTEXT:
                raise JsonError(f"has more than {_MAX_CONTEXT:,} bytes")
        except JsonError as error:
            found.append(FieldViolation("session.context_json", str(error)))
    if found:
        raise InvalidError("SESSION_INVALID", f"{found[0].field}: {found[0].description}", violations=found)
    return context
