"""CancelBatch, CancelProposals, RetryProposals, ResumeBatch, ResolveProposal and PruneBatches."""

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.api.mapping.batches import batch_message
from orchestrator_svc.api.mapping.decisions import resolution_of
from orchestrator_svc.api.mapping.faults import Faults
from orchestrator_svc.api.mapping.items import item_messages
from orchestrator_svc.api.mapping.keys import request_key
from orchestrator_svc.api.mapping.proposals import proposal_message
from orchestrator_svc.api.use_cases import UseCases
from orchestrator_svc.application.caller import Caller


class Steering:
    def __init__(self, use_cases: UseCases) -> None:
        self._use = use_cases

    async def cancel_batch(self, request: pb.CancelBatchRequest, caller: Caller) -> pb.CancelBatchResponse:
        await self._use.cancel.batch(caller, request.batch_id, request.reason, request_key(request))
        view = await self._use.queries.batch(caller.tenant, request.batch_id)
        return pb.CancelBatchResponse(batch=batch_message(view))

    async def cancel_proposals(self, request: pb.CancelProposalsRequest, caller: Caller) -> pb.CancelProposalsResponse:
        proposal_ids, key = list(request.proposal_ids), request_key(request)
        answers = await self._use.cancel.proposals(caller, proposal_ids, request.reason, key)
        return pb.CancelProposalsResponse(answers=item_messages(answers))

    async def retry_proposals(self, request: pb.RetryProposalsRequest, caller: Caller) -> pb.RetryProposalsResponse:
        answers = await self._use.retry.retry(
            caller,
            list(request.proposal_ids),
            request.batch_id,
            list(request.agents),
            request.reason,
            request_key(request),
        )
        return pb.RetryProposalsResponse(answers=item_messages(answers))

    async def resume_batch(self, request: pb.ResumeBatchRequest, caller: Caller) -> pb.ResumeBatchResponse:
        answer = await self._use.resume.resume(caller, request.batch_id, request.reason, request_key(request))
        view = await self._use.queries.batch(caller.tenant, request.batch_id)
        return pb.ResumeBatchResponse(
            batch=batch_message(view),
            resumed=answer.resumed,
            not_resumed=answer.not_resumed,
            answers=item_messages(answer.answers),
        )

    async def resolve_proposal(self, request: pb.ResolveProposalRequest, caller: Caller) -> pb.ResolveProposalResponse:
        await self._use.resolve.resolve(
            caller,
            request.proposal_id,
            resolution_of(request),
            request.result_json,
            request.reason,
            request.revision if request.HasField("revision") else None,
            request_key(request),
        )
        answered = await self._use.queries.proposal(caller.tenant, request.proposal_id)
        return pb.ResolveProposalResponse(proposal=proposal_message(answered))

    async def prune_batches(self, request: pb.PruneBatchesRequest, caller: Caller) -> pb.PruneBatchesResponse:
        faults = Faults()
        older_than = faults.duration(request.older_than, "older_than") if request.HasField("older_than") else None
        faults.check()
        done = await self._use.prune.prune(caller, older_than, request.dry_run)
        return pb.PruneBatchesResponse(batches=done.batches, events=done.events, more=done.more)
