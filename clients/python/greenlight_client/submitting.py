"""Proposing and watching: submit, run, add, close, watch, wait, and `run_calls` for an agent's loop."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Unpack

from greenlight.orchestrator.v1 import batch_pb2, orchestrator_pb2, proposal_pb2
from greenlight_client import openings
from greenlight_client.calls import BatchOptions, Source, batch_spec
from greenlight_client.errors import EventsCompactedError, GreenlightError
from greenlight_client.ids import new_request_id
from greenlight_client.reading import Reading
from greenlight_client.streams import EventStream
from greenlight_client.wire import ON_INVALID, UNTIL, OnInvalidName, Seconds, UntilName, duration, seconds

# Called with what interrupted a stream, and with None when it goes on.
OnInterruption = Callable[[GreenlightError | None], None]
# Called with what is gone, before a stream goes on with what is left.
OnCompacted = Callable[[EventsCompactedError], None]

_WAIT_CHUNK = 60.0


class Submitting(Reading):
    """The part of the client that proposes and watches."""

    async def submit(
        self,
        source: Source,
        *,
        validate_only: bool = False,
        request_id: str | None = None,
        **options: Unpack[BatchOptions],
    ) -> orchestrator_pb2.SubmitBatchResponse:
        """Submits a batch, all of it or nothing; when it returns, the batch is on disk at the server.

        `source` is a list of `call(...)`, a `template(...)`, a `template_yaml(...)` or a BatchSpec. `validate_only`
        judges and writes nothing. Raises InvalidArgumentError, NotFoundError (template), ExhaustedError.
        """
        request = orchestrator_pb2.SubmitBatchRequest(
            batch=batch_spec(source, options),
            request_id=request_id or new_request_id(),
            validate_only=validate_only,
        )
        return await self._transport.unary(self._stub.SubmitBatch, request)

    def run(
        self,
        source: Source,
        *,
        until: UntilName = "finished",
        max_wait: Seconds | None = None,
        request_id: str | None = None,
        on_interruption: OnInterruption | None = None,
        **options: Unpack[BatchOptions],
    ) -> EventStream:
        """Submits a batch and watches it from its first event; `await client.run(...).finish()` gives its Summary."""
        request = orchestrator_pb2.RunBatchRequest(
            batch=batch_spec(source, options),
            request_id=request_id or new_request_id(),
            until=UNTIL[until],
            max_wait=duration(max_wait),
        )
        opening = openings.RunBatch(self._stub, request)
        return EventStream(self._transport, opening, max_wait=seconds(max_wait), on_interruption=on_interruption)

    async def run_calls(
        self,
        calls: Sequence[proposal_pb2.ProposalSpec],
        *,
        until: UntilName = "blocked",
        max_wait: Seconds | None = None,
        **options: Unpack[BatchOptions],
    ) -> list[proposal_pb2.Answer]:
        """Runs calls as one batch and returns an answer to each, in the order of `calls`: what an agent's loop wants.

        Returns when all have ended, or when the rest waits for a person (its answers are pending then; `until` =
        "finished" waits for the person too). A call that is wrong by itself (unknown tool, arguments that do not
        validate) is answered as FAILED, and the others run. No failed call raises; `value(answer)` does. No calls, no
        answers: nothing is submitted then.
        """
        if not calls:
            return []
        options.setdefault("on_invalid", "fail_call")
        summary = await self.run(calls, until=until, max_wait=max_wait, **options).finish()
        return await self.answers(summary)

    async def add(
        self,
        batch_id: str,
        calls: Sequence[proposal_pb2.ProposalSpec],
        *,
        close: bool = False,
        on_invalid: OnInvalidName = "refuse",
        request_id: str | None = None,
    ) -> orchestrator_pb2.AddProposalsResponse:
        """Adds proposals to an open batch, all or none; `close` makes these the last. PreconditionError if closed."""
        request = orchestrator_pb2.AddProposalsRequest(
            batch_id=batch_id,
            proposals=calls,
            close=close,
            on_invalid=ON_INVALID[on_invalid],
            request_id=request_id or new_request_id(),
        )
        return await self._transport.unary(self._stub.AddProposals, request)

    async def close(self, batch_id: str, *, request_id: str | None = None) -> batch_pb2.Batch:
        """Closes an open batch: nothing joins any more. (The client itself is closed by leaving `async with`.)"""
        request = orchestrator_pb2.CloseBatchRequest(batch_id=batch_id, request_id=request_id or new_request_id())
        return (await self._transport.unary(self._stub.CloseBatch, request)).batch

    def watch(
        self,
        batch_id: str,
        *,
        resume_after: int = 0,
        until: UntilName = "finished",
        max_wait: Seconds | None = None,
        on_interruption: OnInterruption | None = None,
        on_compacted: OnCompacted | None = None,
    ) -> EventStream:
        """Events of a batch after the sequence `resume_after` (0 = from the first), then those that are yet to come.

        Where old events are gone it raises EventsCompactedError; with `on_compacted`, calls that and goes on with those
        that are left.
        """
        opening = openings.WatchBatch(self._stub, batch_id, resume_after, UNTIL[until])
        return EventStream(
            self._transport,
            opening,
            max_wait=seconds(max_wait),
            on_interruption=on_interruption,
            on_compacted=on_compacted,
        )

    def watch_session(
        self,
        session_id: str,
        session_token: str = "",
        *,
        until: UntilName | None = None,
        max_wait: Seconds | None = None,
        on_interruption: OnInterruption | None = None,
        on_compacted: OnCompacted | None = None,
    ) -> EventStream:
        """Events of all batches of a session, those of batches to come included; without `until` it never ends.

        `stream.session_token` says where it stands: to go on there later, and for `soft_confirm(shown_through=...)`.
        `on_compacted`: as `watch`.
        """
        opening = openings.WatchSession(self._stub, session_id, session_token, UNTIL[until] if until else None)
        return EventStream(
            self._transport,
            opening,
            max_wait=seconds(max_wait),
            on_interruption=on_interruption,
            on_compacted=on_compacted,
        )

    async def wait(
        self, batch_id: str, *, until: UntilName = "finished", max_wait: Seconds | None = None
    ) -> batch_pb2.Summary:
        """Waits until a batch is finished (or blocked), without its events; at most `max_wait`, else without end.

        `summary.wait_ended` says that the time was over first.
        """
        limit = seconds(max_wait)
        end = math.inf if limit is None else time.monotonic() + limit
        while True:
            chunk = max(0.001, min(_WAIT_CHUNK, end - time.monotonic()))
            request = orchestrator_pb2.WaitBatchRequest(batch_id=batch_id, until=UNTIL[until], max_wait=duration(chunk))
            timeout = chunk + self._transport.timeout
            summary = (await self._transport.unary(self._stub.WaitBatch, request, timeout=timeout)).summary
            if not summary.wait_ended or time.monotonic() >= end:
                return summary
