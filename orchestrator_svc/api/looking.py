"""Batches, proposals, tools, executors, templates and the server itself, as they stand."""

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.api.mapping.batches import batch_message
from orchestrator_svc.api.mapping.budget import fit_answers, fit_proposals
from orchestrator_svc.api.mapping.catalogue import executor_message, template_message, tool_message
from orchestrator_svc.api.mapping.cutting import cut_proposal, fit, keep_fields, read_mask
from orchestrator_svc.api.mapping.lookups import View, batch_filter, page_of, proposal_filter, view_of
from orchestrator_svc.api.mapping.proposals import proposal_message
from orchestrator_svc.api.mapping.server_info import server_info
from orchestrator_svc.api.use_cases import ServerFacts, UseCases
from orchestrator_svc.application.caller import Caller


class Looking:
    def __init__(self, use_cases: UseCases, facts: ServerFacts) -> None:
        self._queries, self._facts = use_cases.queries, facts

    async def get_batch(self, request: pb.GetBatchRequest, caller: Caller) -> pb.GetBatchResponse:
        view = view_of(request)
        if view is View.BASIC:
            return pb.GetBatchResponse(batch=batch_message(await self._queries.batch(caller.tenant, request.batch_id)))
        if view is View.ANSWERS:
            found, answered = await self._queries.batch_answers(caller.tenant, request.batch_id)
            batch = batch_message(found)
            answers = (await fit_answers(answered, batch.ByteSize())).messages
            return pb.GetBatchResponse(batch=batch, answers=answers, omitted=sum(found.counts) - len(answers))
        found, answered = await self._queries.batch_full(caller.tenant, request.batch_id)
        batch = batch_message(found)
        proposals = await fit_proposals(answered, batch.ByteSize())
        return pb.GetBatchResponse(batch=batch, proposals=proposals, omitted=sum(found.counts) - len(proposals))

    async def list_batches(self, request: pb.ListBatchesRequest, caller: Caller) -> pb.ListBatchesResponse:
        page = await self._queries.batches(caller.tenant, batch_filter(request), page_of(request))
        batches = fit(batch_message(view) for view in page.items)
        return pb.ListBatchesResponse(batches=batches, next_page_token=page.token(len(batches)))

    async def get_proposal(self, request: pb.GetProposalRequest, caller: Caller) -> pb.GetProposalResponse:
        wanted = read_mask(request.read_mask)
        message = proposal_message(await self._queries.proposal(caller.tenant, request.proposal_id))
        keep_fields(message, wanted)
        return pb.GetProposalResponse(proposal=cut_proposal(message))

    async def list_proposals(self, request: pb.ListProposalsRequest, caller: Caller) -> pb.ListProposalsResponse:
        page = await self._queries.proposals(caller.tenant, proposal_filter(request), page_of(request))
        proposals = await fit_proposals(page.items, 0)
        return pb.ListProposalsResponse(proposals=proposals, next_page_token=page.token(len(proposals)))

    async def list_tools(self, request: pb.ListToolsRequest, caller: Caller) -> pb.ListToolsResponse:
        page = self._queries.tools(request.tool, page_of(request))
        tools = fit(tool_message(entry, executors) for entry, executors in page.items)
        return pb.ListToolsResponse(tools=tools, next_page_token=page.token(len(tools)))

    async def list_executors(self, request: pb.ListExecutorsRequest, caller: Caller) -> pb.ListExecutorsResponse:
        page = self._queries.executors(page_of(request))
        executors = fit(executor_message(view) for view in page.items)
        return pb.ListExecutorsResponse(executors=executors, next_page_token=page.token(len(executors)))

    async def list_templates(self, request: pb.ListTemplatesRequest, caller: Caller) -> pb.ListTemplatesResponse:
        page = self._queries.templates(page_of(request))
        templates = fit(template_message(template, with_yaml=False) for template in page.items)
        return pb.ListTemplatesResponse(templates=templates, next_page_token=page.token(len(templates)))

    async def get_template(self, request: pb.GetTemplateRequest, caller: Caller) -> pb.GetTemplateResponse:
        template = self._queries.template(request.name, request.version)
        return pb.GetTemplateResponse(template=template_message(template, with_yaml=True))

    async def get_server_info(self, request: pb.GetServerInfoRequest, caller: Caller) -> pb.GetServerInfoResponse:
        return server_info(self._facts)
