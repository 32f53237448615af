"""DecideProposals, and SoftConfirm: the user's next turn."""

from functools import partial

from greenlight.orchestrator.v1 import batch_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.api import frames
from orchestrator_svc.api.finishing import Finishing
from orchestrator_svc.api.mapping.decisions import confirmation_messages, decision_specs, soft_confirm_spec
from orchestrator_svc.api.mapping.faults import Faults
from orchestrator_svc.api.mapping.items import item_messages
from orchestrator_svc.api.mapping.keys import request_key
from orchestrator_svc.api.mapping.lookups import max_wait_of, until_of
from orchestrator_svc.api.mapping.summaries import summary_message
from orchestrator_svc.api.streaming import Stream
from orchestrator_svc.api.use_cases import UseCases
from orchestrator_svc.application.caller import Caller
from orchestrator_svc.application.watch import Ended, Until


class Deciding:
    def __init__(self, use_cases: UseCases, finishing: Finishing) -> None:
        self._use, self._finishing = use_cases, finishing

    async def decide_proposals(self, request: pb.DecideProposalsRequest, caller: Caller) -> pb.DecideProposalsResponse:
        specs, key = decision_specs(request), request_key(request)
        answers = await self._use.decide.decide(caller, specs, request.atomic, key)
        return pb.DecideProposalsResponse(answers=item_messages(answers))

    async def soft_confirm(self, request: pb.SoftConfirmRequest, caller: Caller, stream: Stream) -> None:
        faults = Faults()
        until, max_wait = until_of(request, Until.FINISHED, faults), max_wait_of(request, faults)
        faults.check()
        self._use.watch.check_open()
        spec, key = soft_confirm_spec(request), request_key(request)
        confirmation = await self._finishing.run(self._use.soft_confirm.confirm(caller, spec, key))

        async def summarize(ended: Ended, beside: int) -> batch_pb2.Summary | None:
            """Of what the turn was about, not of all that is in those batches."""
            about = set(confirmation.decided())
            message = partial(summary_message, several=True, beside=beside)
            return await self._use.summaries.make(message, caller.tenant, ended, about)

        await stream.begin()
        for message in confirmation_messages(confirmation):
            await stream.write(frames.confirmation(message))
        items = self._use.soft_confirm.follow(caller.tenant, spec.session_id, confirmation, until, max_wait)
        await stream.session(items, summarize)
