"""Deciding: approve, reject, edit, and the user's next turn that confirms what is SOFT."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from greenlight.orchestrator.v1 import orchestrator_pb2, proposal_pb2
from greenlight_client import openings
from greenlight_client.base import Connected, checked
from greenlight_client.ids import new_request_id
from greenlight_client.streams import SoftConfirmStream
from greenlight_client.submitting import OnInterruption
from greenlight_client.wire import UNTIL, Seconds, UntilName, duration, json_text, seconds


class Deciding(Connected):
    """The part of the client that gives the green light, or doesn't."""

    async def decide(
        self,
        decisions: Sequence[orchestrator_pb2.Decision],
        *,
        atomic: bool = False,
        request_id: str | None = None,
    ) -> list[orchestrator_pb2.ProposalAnswer]:
        """Decides proposals of any batches; an answer an item, in order, each with its own status (0 = done).

        `atomic` does all or none, within one batch. One item's fault never raises: look at each status, or use
        `approve`, `reject` and `edit`, which do.
        """
        request = orchestrator_pb2.DecideProposalsRequest(
            decisions=decisions, atomic=atomic, request_id=request_id or new_request_id()
        )
        return list((await self._transport.unary(self._stub.DecideProposals, request)).answers)

    async def approve(
        self,
        proposal: proposal_pb2.Proposal | str,
        *,
        digest: str = "",
        accept_unbound: bool = False,
    ) -> orchestrator_pb2.ProposalAnswer:
        """Approves one proposal: a Proposal as it was shown (its digest and revision go along), or an id and `digest`.

        HARD needs the digest that was seen. `accept_unbound` approves before references are filled in.
        Raises ConflictError where it is no longer what was shown, PreconditionError where nothing is asked for.
        """
        decision = decision_on(proposal, proposal_pb2.VERDICT_APPROVE, digest)
        decision.accept_unbound = accept_unbound
        return checked((await self.decide([decision]))[0])

    async def reject(
        self, proposal: proposal_pb2.Proposal | str, message: str = "", *, digest: str = ""
    ) -> orchestrator_pb2.ProposalAnswer:
        """Rejects one proposal; `message` is what the model gets. Raises as `approve`."""
        decision = decision_on(proposal, proposal_pb2.VERDICT_REJECT, digest)
        decision.message = message
        return checked((await self.decide([decision]))[0])

    async def edit(
        self, proposal: proposal_pb2.Proposal | str, arguments: Mapping[str, Any] | str, *, digest: str = ""
    ) -> orchestrator_pb2.ProposalAnswer:
        """Approves one proposal with these arguments instead (no references in them). Raises as `approve`."""
        decision = decision_on(proposal, proposal_pb2.VERDICT_APPROVE, digest)
        decision.edited_arguments_json = json_text(arguments)
        return checked((await self.decide([decision]))[0])

    def soft_confirm(
        self,
        session_id: str,
        *,
        shown_through: str = "",
        everything: bool = False,
        objections: Mapping[str, str] | None = None,
        agents: Iterable[str] = (),
        until: UntilName = "blocked",
        max_wait: Seconds | None = None,
        request_id: str | None = None,
        on_interruption: OnInterruption | None = None,
    ) -> SoftConfirmStream:
        """The user's next turn: approves what is SOFT and pending in the session and was shown, but for the objections.

        `shown_through` is a `session_token` of `watch_session`: what was proposed up to it was shown; or `everything`
        that is pending. `objections` maps proposal ids to what the model gets. `await stream.confirmed()` says what
        became of each; the stream then gives their events.
        """
        request = orchestrator_pb2.SoftConfirmRequest(
            session_id=session_id,
            objections=[
                orchestrator_pb2.Objection(proposal_id=proposal_id, message=message)
                for proposal_id, message in (objections or {}).items()
            ],
            agents=agents,
            until=UNTIL[until],
            max_wait=duration(max_wait),
            request_id=request_id or new_request_id(),
        )
        if shown_through:
            request.shown_through = shown_through
        elif everything:
            request.all = True
        opening = openings.SoftConfirm(self._stub, request)
        return SoftConfirmStream(self._transport, opening, max_wait=seconds(max_wait), on_interruption=on_interruption)


def decision_on(
    proposal: proposal_pb2.Proposal | str, verdict: proposal_pb2.Verdict.ValueType, digest: str = ""
) -> orchestrator_pb2.Decision:
    """A decision for `decide`: on a Proposal as it was shown, or on an id."""
    if isinstance(proposal, str):
        return orchestrator_pb2.Decision(proposal_id=proposal, verdict=verdict, digest=digest)
    return orchestrator_pb2.Decision(
        proposal_id=proposal.proposal_id,
        verdict=verdict,
        digest=digest or proposal.digest,
        revision=proposal.revision,
    )
