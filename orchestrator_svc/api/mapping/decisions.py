"""Decisions, soft confirmations and resolutions as they are sent."""

from collections.abc import Iterator

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.api.mapping.cutting import ROOM, wire_size
from orchestrator_svc.api.mapping.faults import Faults
from orchestrator_svc.api.mapping.items import item_messages
from orchestrator_svc.api.mapping.structs import struct_text
from orchestrator_svc.application.decide import DecisionSpec
from orchestrator_svc.application.soft_confirm import Confirmation, SoftConfirmSpec
from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.domain.states import Resolution


def decision_specs(request: pb.DecideProposalsRequest) -> list[DecisionSpec]:
    """Raises InvalidError (DECISIONS_INVALID)."""
    faults = Faults("DECISIONS_INVALID")
    specs = [_decision(decision, f"decisions[{index}]", faults) for index, decision in enumerate(request.decisions)]
    faults.check()
    return specs


def _decision(decision: pb.Decision, place: str, faults: Faults) -> DecisionSpec:
    edited: str | None = None
    match decision.WhichOneof("edited_arguments_source"):
        case "edited_arguments_json":
            edited = decision.edited_arguments_json
        case "edited_arguments":
            edited = struct_text(decision.edited_arguments, f"{place}.edited_arguments", faults)
        case None:
            pass
    return DecisionSpec(
        decision.proposal_id,
        faults.enum(Verdict, decision.verdict, f"{place}.verdict"),
        decision.message,
        decision.digest,
        decision.revision if decision.HasField("revision") else None,
        edited,
        decision.accept_unbound,
    )


def soft_confirm_spec(request: pb.SoftConfirmRequest) -> SoftConfirmSpec:
    """Raises InvalidError (REQUEST_INVALID)."""
    faults = Faults()
    objections: dict[str, str] = {}
    for index, objection in enumerate(request.objections):
        if objection.proposal_id in objections:
            faults.add(f"objections[{index}].proposal_id", "is objected to twice")
        if len(objection.message) > 4096:
            faults.add(f"objections[{index}].message", "has more than 4,096 characters")
        objections[objection.proposal_id] = objection.message
    faults.check()
    return SoftConfirmSpec(request.session_id, request.shown_through, request.all, objections, tuple(request.agents))


def confirmation_messages(confirmation: Confirmation) -> Iterator[pb.SoftConfirmation]:
    """One at least; all but the last say that there is more. None is larger than 3 MiB."""
    message, taken = pb.SoftConfirmation(), 0
    for name, items in (
        ("confirmed", confirmation.confirmed),
        ("objected", confirmation.objected),
        ("expired", confirmation.expired),
        ("not_shown", confirmation.not_shown),
        ("window_passed", confirmation.window_passed),
        ("not_pending", item_messages(confirmation.not_pending)),
    ):
        for item in items:
            size = wire_size(len(item) if isinstance(item, str) else item.ByteSize())
            if taken + size > ROOM:
                message.more = True
                yield message
                message, taken = pb.SoftConfirmation(), 0
            getattr(message, name).append(item)
            taken += size
    yield message


def resolution_of(request: pb.ResolveProposalRequest) -> Resolution | None:
    """None: unspecified. Raises InvalidError (RESOLUTION_INVALID)."""
    faults = Faults("RESOLUTION_INVALID")
    resolution = faults.enum(Resolution, request.resolution, "resolution")
    faults.check()
    return resolution
