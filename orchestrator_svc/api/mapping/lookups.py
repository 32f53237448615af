"""What lists and waits are asked for."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Protocol, TypeVar

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.api.mapping.faults import SECOND, Faults
from orchestrator_svc.application.judging import MAX_LABELS
from orchestrator_svc.application.queries import PageRequest
from orchestrator_svc.application.watch import Until
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.views import BatchFilter, ProposalFilter

E = TypeVar("E", bound=IntEnum)


class View(IntEnum):
    """How much of a batch. Numbers are those of the wire."""

    BASIC = 1
    ANSWERS = 2
    FULL = 3


_Waits = (
    pb.RunBatchRequest | pb.WatchBatchRequest | pb.WatchSessionRequest | pb.WaitBatchRequest | pb.SoftConfirmRequest
)


class _Pages(Protocol):
    page_size: int
    page_token: str


def until_of(request: _Waits, otherwise: Until, faults: Faults) -> Until:
    return faults.enum(Until, request.until, "until") or otherwise


def max_wait_of(request: _Waits, faults: Faults) -> float | None:
    """In s; None: absent."""
    return faults.duration(request.max_wait, "max_wait") / SECOND if request.HasField("max_wait") else None


def page_of(request: _Pages) -> PageRequest:
    return PageRequest(request.page_size, request.page_token)


def view_of(request: pb.GetBatchRequest) -> View:
    """Raises InvalidError (REQUEST_INVALID)."""
    faults = Faults()
    view = faults.enum(View, request.view, "view") or View.BASIC
    faults.check()
    return view


def batch_filter(request: pb.ListBatchesRequest) -> BatchFilter:
    """Raises InvalidError (REQUEST_INVALID)."""
    faults = Faults()
    where = BatchFilter(
        request.session_id,
        _several(BatchState, request.states, "states", faults),
        _labels(request.labels, faults),
        request.batch_id_prefix,
    )
    faults.check()
    return where


def proposal_filter(request: pb.ListProposalsRequest) -> ProposalFilter:
    """Raises InvalidError (REQUEST_INVALID)."""
    faults = Faults()
    where = ProposalFilter(
        _several(ProposalState, request.states, "states", faults),
        _several(Tier, request.tiers, "tiers", faults),
        request.session_id,
        request.batch_id,
        request.agent,
        request.tool,
        _labels(request.labels, faults),
    )
    faults.check()
    return where


def _several(kind: type[E], numbers: Sequence[int], place: str, faults: Faults) -> tuple[E, ...]:
    found: dict[E, None] = {}
    for index, number in enumerate(numbers):
        value = faults.enum(kind, number, f"{place}[{index}]")
        if value is not None:
            found[value] = None
        elif number == 0:
            faults.add(f"{place}[{index}]", "must not be UNSPECIFIED; leave it out for all")
    return tuple(found)


def _labels(labels: Mapping[str, str], faults: Faults) -> tuple[tuple[str, str], ...]:
    """No more than anything can have."""
    if len(labels) > MAX_LABELS:
        faults.add("labels", f"names {len(labels):,} labels; nothing has more than {MAX_LABELS}")
    return tuple(sorted(labels.items()))
