"""SubmitBatch, RunBatch, AddProposals and CloseBatch."""

from collections.abc import Sequence
from functools import partial

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.api.finishing import Finishing
from orchestrator_svc.api.mapping.batches import batch_message, draft_message
from orchestrator_svc.api.mapping.faults import Faults
from orchestrator_svc.api.mapping.keys import request_key
from orchestrator_svc.api.mapping.lookups import max_wait_of, until_of
from orchestrator_svc.api.mapping.submissions import REASON, batch_spec, on_invalid, proposal_specs
from orchestrator_svc.api.mapping.summaries import summary_message
from orchestrator_svc.api.streaming import Stream
from orchestrator_svc.api.use_cases import UseCases
from orchestrator_svc.application.caller import Caller
from orchestrator_svc.application.submit import Prepared
from orchestrator_svc.application.watch import Ended, Until


class Submitting:
    def __init__(self, use_cases: UseCases, finishing: Finishing) -> None:
        self._use, self._finishing = use_cases, finishing

    async def submit_batch(self, request: pb.SubmitBatchRequest, caller: Caller) -> pb.SubmitBatchResponse:
        spec, key = await batch_spec(request.batch), request_key(request)
        if request.validate_only:
            prepared = await self._use.submit.prepare(caller, spec, None)
            assert prepared.changes is not None
            return pb.SubmitBatchResponse(batch=draft_message(prepared.changes.batch, spec.session_id))
        prepared = await self._use.submit.submit(caller, spec, key)
        return pb.SubmitBatchResponse(
            batch=await self._batch(caller, prepared.batch_id),
            proposal_ids=await self._proposal_ids(caller, request.batch, prepared),
        )

    async def run_batch(self, request: pb.RunBatchRequest, caller: Caller, stream: Stream) -> None:
        faults = Faults()
        until, max_wait = until_of(request, Until.FINISHED, faults), max_wait_of(request, faults)
        faults.check()
        self._use.watch.check_open()
        spec, key = await batch_spec(request.batch), request_key(request)
        prepared = await self._use.submit.prepare(caller, spec, key)
        watch, tenant = self._use.watch, caller.tenant

        async def summarize(ended: Ended, beside: int) -> batch_pb2.Summary | None:
            message = partial(summary_message, several=False, beside=beside)
            return await self._use.summaries.make(message, tenant, ended)

        with watch.subscribe(tenant, prepared.batch_id) as subscription:
            committed = await self._finishing.run(self._use.submit.commit(caller, prepared))
            if not committed.earlier:
                await stream.begin()
                items = watch.follow(subscription, tenant, committed.batch_id, 0, until, max_wait)
                return await stream.batch(items, summarize)
        await stream.begin()
        return await stream.batch(watch.batch(tenant, committed.batch_id, 0, until, max_wait), summarize)

    async def add_proposals(self, request: pb.AddProposalsRequest, caller: Caller) -> pb.AddProposalsResponse:
        faults, key = Faults(REASON), request_key(request)
        specs = await proposal_specs(request.proposals, "proposals", faults)
        policy = on_invalid(request.on_invalid, "on_invalid", faults)
        faults.check()
        added = await self._use.add.add(caller, request.batch_id, specs, policy, request.close, key)
        return pb.AddProposalsResponse(
            proposal_ids=_ids(request.batch_id, request.proposals, added.first),
            batch=await self._batch(caller, request.batch_id),
        )

    async def close_batch(self, request: pb.CloseBatchRequest, caller: Caller) -> pb.CloseBatchResponse:
        await self._use.add.close(caller, request.batch_id, request_key(request))
        return pb.CloseBatchResponse(batch=await self._batch(caller, request.batch_id))

    async def _batch(self, caller: Caller, batch_id: str) -> batch_pb2.Batch:
        return batch_message(await self._use.queries.batch(caller.tenant, batch_id))

    async def _proposal_ids(self, caller: Caller, batch: batch_pb2.BatchSpec, prepared: Prepared) -> list[str]:
        """A template's are known to the batch alone."""
        if batch.HasField("proposals"):
            return _ids(prepared.batch_id, batch.proposals.items, 1)
        if prepared.total == 0:
            return []
        keys = await self._use.queries.proposal_keys(caller.tenant, prepared.batch_id, prepared.total)
        return [f"{prepared.batch_id}/{key}" for key in keys]


def _ids(batch_id: str, proposals: Sequence[proposal_pb2.ProposalSpec], first: int) -> list[str]:
    return [f"{batch_id}/{proposal.key or f'p{first + index}'}" for index, proposal in enumerate(proposals)]
