"""Looking: batches, proposals, tools, executors, templates. Pages are cut here; tokens are opaque to clients."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

import orjson

from orchestrator_svc.application.catalogue import Entry, ToolCatalogue
from orchestrator_svc.application.engine.elsewhere import unknown_batch
from orchestrator_svc.application.items import split_id, unknown_proposal
from orchestrator_svc.application.summaries import MESSAGE_BYTES, Answered, Summaries
from orchestrator_svc.domain.template.model import Template
from orchestrator_svc.domain.tool import ToolKey
from orchestrator_svc.ports.executor import Executors, ExecutorView
from orchestrator_svc.ports.store import Session, SessionStatistics, Store
from orchestrator_svc.ports.templates import TemplateCatalogue
from orchestrator_svc.ports.views import BatchFilter, BatchView, ProposalCursor, ProposalFilter, ProposalView
from shared.kernel.errors import FieldViolation, InvalidError

MAX_PAGE = 1000
_TOO_MUCH = 1 << 63
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`more`: others come after these. `after`: how many of them -> the token of a page that goes on behind."""

    items: list[T]
    more: bool
    after: Callable[[int], str]

    def token(self, shown: int) -> str:
        """Only the first `shown` fit into a message: the others are of the next page. Empty: that was all."""
        return self.after(shown) if self.more or shown < len(self.items) else ""


@dataclass(frozen=True, slots=True)
class PageRequest:
    size: int
    token: str

    def limit(self, default: int) -> int:
        """Raises InvalidError (PAGE_SIZE_INVALID)."""
        if self.size < 0:
            problem = "must not be negative; 0 is the default"
            raise InvalidError(
                "PAGE_SIZE_INVALID", f"page_size {problem}", violations=[FieldViolation("page_size", problem)]
            )
        return min(self.size or default, MAX_PAGE)

    def cursor(self, of: str, kinds: Sequence[type]) -> list[int | str] | None:
        """What the token holds. `of`: which list's it is. Raises InvalidError (PAGE_TOKEN_INVALID)."""
        if not self.token:
            return None
        try:
            text = base64.b64decode(self.token + "=" * (-len(self.token) % 4), altchars=b"-_", validate=True)
            named, *values = orjson.loads(text)
            if named != of or len(values) != len(kinds) or not all(map(_is_of, values, kinds)):
                raise ValueError
            if any(isinstance(value, int) and not 0 <= value < _TOO_MUCH for value in values):
                raise ValueError
        except (binascii.Error, ValueError, TypeError):
            problem = "is not a token of this list; send next_page_token as it came, or none"
            raise InvalidError(
                "PAGE_TOKEN_INVALID", f"page_token {problem}", violations=[FieldViolation("page_token", problem)]
            ) from None
        return values


def _is_of(value: object, kind: type) -> bool:
    """`UUID`: a text that is one."""
    if kind is UUID:
        return type(value) is str and _ID.fullmatch(value) is not None
    return type(value) is kind


def page_token(of: str, *values: int | str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([of, *values])).decode().rstrip("=")


class Queries:
    """All of them read committed rows, or what the executors say of themselves."""

    def __init__(
        self,
        store: Store,
        summaries: Summaries,
        catalogue: ToolCatalogue,
        executors: Executors,
        templates: TemplateCatalogue,
    ) -> None:
        self._store, self._summaries, self._catalogue = store, summaries, catalogue
        self._executors, self._templates = executors, templates

    async def batch(self, tenant: str, batch_id: str) -> BatchView:
        """Raises NotFoundError (BATCH_UNKNOWN)."""
        batch = await self._store.get_batch(tenant, batch_id)
        if batch is None:
            raise unknown_batch(batch_id)
        return batch

    async def batch_full(self, tenant: str, batch_id: str) -> tuple[BatchView, list[Answered]]:
        """From one snapshot, from the first proposal on, as a message holds. Raises NotFoundError (BATCH_UNKNOWN)."""
        return self._answered(batch_id, await self._store.get_batch_full(tenant, batch_id, MESSAGE_BYTES))

    async def batch_answers(self, tenant: str, batch_id: str) -> tuple[BatchView, list[Answered]]:
        """The same, of answers, which are without what no answer shows."""
        found = await self._store.get_batch_answers(tenant, batch_id, MESSAGE_BYTES, MESSAGE_BYTES)
        return self._answered(batch_id, found)

    def _answered(
        self, batch_id: str, found: tuple[BatchView, list[ProposalView]] | None
    ) -> tuple[BatchView, list[Answered]]:
        if found is None:
            raise unknown_batch(batch_id)
        return found[0], [self._summaries.answered(view) for view in found[1]]

    async def proposal_keys(self, tenant: str, batch_id: str, limit: int) -> list[str]:
        """By ordinal."""
        return await self._store.proposal_keys(tenant, batch_id, limit)

    async def batches(self, tenant: str, where: BatchFilter, page: PageRequest) -> Page[BatchView]:
        limit, cursor = page.limit(50), page.cursor("batches", [UUID])
        before = None if cursor is None else str(cursor[0])
        found, below = await self._store.list_batches(tenant, where, before, limit)

        def after(shown: int) -> str:
            return page_token("batches", below if below is not None and shown == len(found) else found[shown - 1].id)

        return Page(found, below is not None, after)

    async def proposal(self, tenant: str, proposal_id: str) -> Answered:
        """Raises NotFoundError (PROPOSAL_UNKNOWN)."""
        batch_id, key = split_id(proposal_id)
        view = await self._store.get_proposal(tenant, batch_id, key)
        if view is None:
            raise unknown_proposal(proposal_id)
        return self._summaries.answered(view)

    async def proposals(self, tenant: str, where: ProposalFilter, page: PageRequest) -> Page[Answered]:
        limit, cursor = page.limit(50), page.cursor("proposals", [int, UUID, int])
        after = None if cursor is None else ProposalCursor(int(cursor[0]), str(cursor[1]), int(cursor[2]))
        found, end = await self._store.list_proposals(tenant, where, after, limit, MESSAGE_BYTES)
        answered = [self._summaries.answered(view) for view in found]

        def behind(shown: int) -> str:
            return page_token(
                "proposals", *(end if end is not None and shown == len(found) else found[shown - 1].cursor)
            )

        return Page(answered, end is not None, behind)

    def tools(self, name: str, page: PageRequest) -> Page[tuple[Entry, int]]:
        """With how many connected executors have each."""
        served: dict[str, int] = {}
        for executor in self._executors.views():
            if executor.connected:
                for tool in executor.tools:
                    served[tool] = served.get(tool, 0) + 1
        entries = [entry for entry in self._catalogue.entries() if name in ("", entry.descriptor.key.name)]
        return _slice([(entry, served.get(str(entry.descriptor.key), 0)) for entry in entries], "tools", page)

    def executors(self, page: PageRequest) -> Page[ExecutorView]:
        return _slice(self._executors.views(), "executors", page)

    def templates(self, page: PageRequest) -> Page[Template]:
        return _slice(list(self._templates.list()), "templates", page)

    def template(self, name: str, version: str) -> Template:
        """Raises NotFoundError (TEMPLATE_UNKNOWN)."""
        return self._templates.get(name, version or None)

    async def sessions(self, tenant: str, page: PageRequest) -> Page[tuple[Session, SessionStatistics]]:
        limit, cursor = page.limit(50), page.cursor("sessions", [int, str])
        before = None if cursor is None else (int(cursor[0]), str(cursor[1]))
        found = await self._store.list_sessions(tenant, before, limit + 1)

        def after(shown: int) -> str:
            last = found[shown - 1][0]
            return page_token("sessions", last.create_time, last.id)

        return Page(found[:limit], len(found) > limit, after)

    def serves(self, tool: ToolKey) -> bool:
        return self._executors.serves(tool)


def _slice(items: list[T], of: str, page: PageRequest) -> Page[T]:
    limit, cursor = page.limit(100), page.cursor(of, [int])
    start = 0 if cursor is None else int(cursor[0])
    end = start + limit
    return Page(items[start:end], end < len(items), lambda shown: page_token(of, start + shown))
