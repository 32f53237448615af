"""Operating: cancel, retry, resume, resolve, prune, and making and changing sessions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from greenlight.orchestrator.v1 import batch_pb2, orchestrator_pb2, proposal_pb2, session_pb2
from greenlight_client.base import Connected
from greenlight_client.ids import new_request_id
from greenlight_client.wire import RESOLUTIONS, ResolutionName, Seconds, duration, json_text


class Operating(Connected):
    """The part of the client that steers what is there."""

    async def cancel(self, batch_id: str, reason: str = "", *, request_id: str | None = None) -> batch_pb2.Batch:
        """Cancels what has not ended of a batch; running calls are stopped. A finished batch is returned as it is."""
        request = orchestrator_pb2.CancelBatchRequest(
            batch_id=batch_id, reason=reason, request_id=request_id or new_request_id()
        )
        return (await self._transport.unary(self._stub.CancelBatch, request)).batch

    async def cancel_proposals(
        self, proposal_ids: Sequence[str], reason: str = "", *, request_id: str | None = None
    ) -> list[orchestrator_pb2.ProposalAnswer]:
        """Cancels single proposals; an answer an id, in order, each with its own status (0 = done)."""
        request = orchestrator_pb2.CancelProposalsRequest(
            proposal_ids=proposal_ids, reason=reason, request_id=request_id or new_request_id()
        )
        return list((await self._transport.unary(self._stub.CancelProposals, request)).answers)

    async def retry(
        self, batch_id: str, *, agents: Iterable[str] = (), reason: str = "", request_id: str | None = None
    ) -> list[orchestrator_pb2.ProposalAnswer]:
        """Tries all again that can be retried in a batch (of these agents); an answer for each that was retried."""
        request = orchestrator_pb2.RetryProposalsRequest(
            batch_id=batch_id, agents=agents, reason=reason, request_id=request_id or new_request_id()
        )
        return list((await self._transport.unary(self._stub.RetryProposals, request)).answers)

    async def retry_proposals(
        self, proposal_ids: Sequence[str], reason: str = "", *, request_id: str | None = None
    ) -> list[orchestrator_pb2.ProposalAnswer]:
        """Tries single proposals again; an answer an id, in order, each with its own status (0 = done)."""
        request = orchestrator_pb2.RetryProposalsRequest(
            proposal_ids=proposal_ids, reason=reason, request_id=request_id or new_request_id()
        )
        return list((await self._transport.unary(self._stub.RetryProposals, request)).answers)

    async def resume(
        self, batch_id: str, *, reason: str = "", request_id: str | None = None
    ) -> orchestrator_pb2.ResumeBatchResponse:
        """Lets a batch go on: tries all again that can be, and says of the rest why not.

        `answers` are of every proposal that had ended without a result, in order, each with its own status (0 = it goes
        on). PreconditionError while the batch is being cancelled.
        """
        request = orchestrator_pb2.ResumeBatchRequest(
            batch_id=batch_id, reason=reason, request_id=request_id or new_request_id()
        )
        return await self._transport.unary(self._stub.ResumeBatch, request)

    async def resolve(
        self,
        proposal_id: str,
        resolution: ResolutionName,
        reason: str,
        *,
        result: Any = None,
        revision: int | None = None,
        request_id: str | None = None,
    ) -> proposal_pb2.Proposal:
        """Says what became of a proposal whose outcome is unknown; `reason` tells who looked where.

        "failed" means that it had no effect: a retry sends it again. `result` (a value, or JSON text) goes with
        "succeeded": it had an effect, if not the one that was wanted. "run_again" sends it again, though the earlier
        attempt may still be running. Raises PreconditionError where there is nothing to resolve.
        """
        request = orchestrator_pb2.ResolveProposalRequest(
            proposal_id=proposal_id,
            resolution=RESOLUTIONS[resolution],
            result_json=json_text(result) if resolution == "succeeded" else "",
            reason=reason,
            revision=revision,
            request_id=request_id or new_request_id(),
        )
        return (await self._transport.unary(self._stub.ResolveProposal, request)).proposal

    async def prune(self, older_than: Seconds, *, dry_run: bool = False) -> orchestrator_pb2.PruneBatchesResponse:
        """Removes the events of batches that finished longer ago than that; batches, answers and decisions stay.

        Asks until there is no more; cancelled, it has removed a part, and the same again removes the rest. `dry_run`
        only says what there is.
        """
        request = orchestrator_pb2.PruneBatchesRequest(older_than=duration(older_than), dry_run=dry_run)
        done = orchestrator_pb2.PruneBatchesResponse(more=True)
        while done.more:
            answer = await self._transport.unary(self._stub.PruneBatches, request)
            done.batches += answer.batches
            done.events += answer.events
            done.more = answer.more
        return done

    async def create_session(
        self,
        session_id: str = "",
        *,
        title: str = "",
        context: Mapping[str, Any] | str | None = None,
        labels: Mapping[str, str] | None = None,
        request_id: str | None = None,
    ) -> session_pb2.Session:
        """Makes a session; without an id one is chosen. AlreadyExistsError where the id is taken."""
        session = session_pb2.Session(
            session_id=session_id,
            title=title,
            context_json="" if context is None else json_text(context),
            labels=dict(labels or {}),
        )
        request = orchestrator_pb2.CreateSessionRequest(session=session, request_id=request_id or new_request_id())
        return (await self._transport.unary(self._stub.CreateSession, request)).session

    async def update_session(
        self,
        session_id: str,
        *,
        title: str | None = None,
        context: Mapping[str, Any] | str | None = None,
        labels: Mapping[str, str] | None = None,
        revision: int | None = None,
        request_id: str | None = None,
    ) -> session_pb2.Session:
        """Replaces what is given, each whole; None leaves it. With `revision`, ConflictError if it moved since."""
        request = orchestrator_pb2.UpdateSessionRequest(
            session_id=session_id,
            title=title,
            context_json=None if context is None else json_text(context),
            labels=None if labels is None else orchestrator_pb2.SessionLabels(items=dict(labels)),
            revision=revision,
            request_id=request_id or new_request_id(),
        )
        return (await self._transport.unary(self._stub.UpdateSession, request)).session
