"""Looking: everything that is on record of batches, proposals, sessions, tools, executors, templates, the server."""

from collections.abc import AsyncIterator, Mapping, Sequence

from greenlight.orchestrator.v1 import (
    batch_pb2,
    event_pb2,
    orchestrator_pb2,
    proposal_pb2,
    session_pb2,
    template_pb2,
)
from greenlight.tool.v1 import tool_pb2
from greenlight_client.answers import answer_of
from greenlight_client.base import Connected
from greenlight_client.wire import VIEWS, ViewName

ANY_STATE: Sequence[proposal_pb2.ProposalState.ValueType] = [
    number for number in proposal_pb2.ProposalState.values() if number
]


class Reading(Connected):
    """The part of the client that reads. Lists are async iterators that ask for the next page when it is needed."""

    async def get_batch(self, batch_id: str, view: ViewName = "basic") -> orchestrator_pb2.GetBatchResponse:
        """A batch as it stands; with its answers, or its proposals in full. `batch.sequence` is the snapshot's."""
        request = orchestrator_pb2.GetBatchRequest(batch_id=batch_id, view=VIEWS[view])
        return await self._transport.unary(self._stub.GetBatch, request)

    async def list_batches(
        self,
        *,
        session_id: str = "",
        states: Sequence[batch_pb2.BatchState.ValueType] = (),
        labels: Mapping[str, str] | None = None,
        batch_id_prefix: str = "",
        page_size: int = 0,
    ) -> AsyncIterator[batch_pb2.Batch]:
        """Batches, newest first."""
        request = orchestrator_pb2.ListBatchesRequest(
            session_id=session_id,
            states=states,
            labels=dict(labels or {}),
            batch_id_prefix=batch_id_prefix,
            page_size=page_size,
        )
        while True:
            page = await self._transport.unary(self._stub.ListBatches, request)
            for batch in page.batches:
                yield batch
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def get_proposal(self, proposal_id: str) -> proposal_pb2.Proposal:
        """Everything on record of one proposal: arguments, decisions, attempts, timings, result."""
        request = orchestrator_pb2.GetProposalRequest(proposal_id=proposal_id)
        return (await self._transport.unary(self._stub.GetProposal, request)).proposal

    async def list_proposals(
        self,
        *,
        states: Sequence[proposal_pb2.ProposalState.ValueType] = (),
        tiers: Sequence[tool_pb2.Tier.ValueType] = (),
        session_id: str = "",
        batch_id: str = "",
        agent: str = "",
        tool: str = "",
        labels: Mapping[str, str] | None = None,
        page_size: int = 0,
    ) -> AsyncIterator[proposal_pb2.Proposal]:
        """The approver's inbox: what waits for a decision now (or is in `states`), soonest to expire first."""
        request = orchestrator_pb2.ListProposalsRequest(
            states=states,
            tiers=tiers,
            session_id=session_id,
            batch_id=batch_id,
            agent=agent,
            tool=tool,
            labels=dict(labels or {}),
            page_size=page_size,
        )
        while True:
            page = await self._transport.unary(self._stub.ListProposals, request)
            for proposal in page.proposals:
                yield proposal
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def proposals(self, batch_id: str) -> list[proposal_pb2.Proposal]:
        """All of a batch's proposals with everything on record of them, in input order, however large they are."""
        found = list((await self.get_batch(batch_id, "full")).proposals)
        there = {proposal.key for proposal in found}
        rest = [item async for item in self.list_proposals(batch_id=batch_id, states=ANY_STATE, page_size=200)]
        found += [await self.get_proposal(item.proposal_id) for item in rest if item.key not in there]
        return sorted(found, key=lambda proposal: proposal.ordinal)

    async def list_events(
        self, batch_id: str, *, resume_after: int = 0, page_size: int = 0
    ) -> AsyncIterator[event_pb2.Event]:
        """The events that a batch has now, after the sequence `resume_after`."""
        request = orchestrator_pb2.ListEventsRequest(batch_id=batch_id, resume_after=resume_after, page_size=page_size)
        while True:
            page = await self._transport.unary(self._stub.ListEvents, request)
            for event in page.frame.events:
                yield event
            if not page.more:
                return
            request.resume_after = page.frame.sequence

    async def list_tools(self, tool: str = "") -> AsyncIterator[orchestrator_pb2.Tool]:
        """Tools that submissions are judged by, by name, then version."""
        request = orchestrator_pb2.ListToolsRequest(tool=tool)
        while True:
            page = await self._transport.unary(self._stub.ListTools, request)
            for item in page.tools:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def list_executors(self) -> AsyncIterator[orchestrator_pb2.Executor]:
        """Executors that are connected, or were since the server's start."""
        request = orchestrator_pb2.ListExecutorsRequest()
        while True:
            page = await self._transport.unary(self._stub.ListExecutors, request)
            for executor in page.executors:
                yield executor
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def list_templates(self) -> AsyncIterator[template_pb2.Template]:
        """Templates that the orchestrator has, without their YAML."""
        request = orchestrator_pb2.ListTemplatesRequest()
        while True:
            page = await self._transport.unary(self._stub.ListTemplates, request)
            for item in page.templates:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def get_template(self, name: str, version: str = "") -> template_pb2.Template:
        """A template with its YAML; no `version` gives the highest."""
        request = orchestrator_pb2.GetTemplateRequest(name=name, version=version)
        return (await self._transport.unary(self._stub.GetTemplate, request)).template

    async def get_session(self, session_id: str) -> session_pb2.Session:
        """A session with its context values and statistics."""
        request = orchestrator_pb2.GetSessionRequest(session_id=session_id)
        return (await self._transport.unary(self._stub.GetSession, request)).session

    async def list_sessions(self, *, page_size: int = 0) -> AsyncIterator[session_pb2.Session]:
        """Sessions, newest first."""
        request = orchestrator_pb2.ListSessionsRequest(page_size=page_size)
        while True:
            page = await self._transport.unary(self._stub.ListSessions, request)
            for session in page.sessions:
                yield session
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def server_info(self) -> orchestrator_pb2.GetServerInfoResponse:
        """Version, limits and defaults of the orchestrator, and what it has in memory."""
        return await self._transport.unary(self._stub.GetServerInfo, orchestrator_pb2.GetServerInfoRequest())

    async def answers(self, summary: batch_pb2.Summary) -> list[proposal_pb2.Answer]:
        """A summary's answers, complete: results (and whole answers) that its message had no room for are fetched."""
        answers = list(summary.answers)
        batch_id = summary.batch.batch_id
        if summary.omitted_answers and batch_id:
            there = {answer.key for answer in answers}
            rest = [item async for item in self.list_proposals(batch_id=batch_id, states=ANY_STATE, page_size=200)]
            rest.sort(key=lambda proposal: proposal.ordinal)
            answers += [answer_of(proposal) for proposal in rest if proposal.key not in there]
        for place, answer in enumerate(answers):
            if answer.omitted:
                proposal = await self.get_proposal(f"{answer.batch_id or batch_id}/{answer.key}")
                answers[place] = answer_of(proposal)
        return answers
