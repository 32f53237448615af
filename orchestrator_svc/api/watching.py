"""WatchBatch, WatchSession, ListEvents and WaitBatch."""

from functools import partial

from greenlight.orchestrator.v1 import batch_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.api.mapping.events import events_page
from orchestrator_svc.api.mapping.faults import Faults
from orchestrator_svc.api.mapping.lookups import max_wait_of, until_of
from orchestrator_svc.api.mapping.summaries import summary_message
from orchestrator_svc.api.streaming import Stream
from orchestrator_svc.api.use_cases import UseCases
from orchestrator_svc.application.caller import Caller
from orchestrator_svc.application.queries import PageRequest
from orchestrator_svc.application.tokens import decode_cursor
from orchestrator_svc.application.watch import Ended, Until

_DEFAULT_WAIT = 30.0
_LONGEST_WAIT = 300.0


class Watching:
    def __init__(self, use_cases: UseCases) -> None:
        self._use = use_cases

    async def watch_batch(self, request: pb.WatchBatchRequest, caller: Caller, stream: Stream) -> None:
        faults = Faults()
        after = faults.not_negative(request.resume_after, "resume_after")
        until, max_wait = until_of(request, Until.FINISHED, faults), max_wait_of(request, faults)
        faults.check()
        self._use.watch.check_open()
        await stream.begin()
        items = self._use.watch.batch(caller.tenant, request.batch_id, after, until, max_wait)
        await stream.batch(items, lambda ended, _: self._summary(caller, ended), after)

    async def watch_session(self, request: pb.WatchSessionRequest, caller: Caller, stream: Stream) -> None:
        faults = Faults()
        until, max_wait = until_of(request, Until.NEVER, faults), max_wait_of(request, faults)
        faults.check()
        cursor = decode_cursor(request.session_token, "session_token", caller.tenant, request.session_id)
        self._use.watch.check_open()
        await stream.begin()

        async def summarize(ended: Ended, beside: int) -> batch_pb2.Summary | None:
            message = partial(summary_message, several=True, beside=beside)
            return await self._use.summaries.make_of_session(message, caller.tenant, request.session_id, ended)

        items = self._use.watch.session(caller.tenant, request.session_id, cursor, until, max_wait)
        await stream.session(items, summarize, request.session_token)

    async def list_events(self, request: pb.ListEventsRequest, caller: Caller) -> pb.ListEventsResponse:
        faults = Faults()
        after = faults.not_negative(request.resume_after, "resume_after")
        faults.check()
        limit = PageRequest(request.page_size, "").limit(100)
        frames, head = await self._use.watch.events(caller.tenant, request.batch_id, after)
        frame = events_page(frames, after, limit)
        return pb.ListEventsResponse(frame=frame, more=frame.sequence < head.head)

    async def wait_batch(self, request: pb.WaitBatchRequest, caller: Caller) -> pb.WaitBatchResponse:
        faults = Faults()
        until, asked = until_of(request, Until.FINISHED, faults), max_wait_of(request, faults)
        faults.check()
        max_wait = _DEFAULT_WAIT if asked is None else min(asked, _LONGEST_WAIT)
        summarize = partial(self._summary, caller)
        summary = await self._use.watch.wait(caller.tenant, request.batch_id, until, max_wait, summarize)
        return pb.WaitBatchResponse(summary=summary)

    async def _summary(self, caller: Caller, ended: Ended) -> batch_pb2.Summary | None:
        message = partial(summary_message, several=False)
        return await self._use.summaries.make(message, caller.tenant, ended)
