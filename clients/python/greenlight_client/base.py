"""What every part of the client stands on: the open transport and its stub."""

import grpc

from greenlight.orchestrator.v1 import orchestrator_pb2
from greenlight.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from greenlight_client.errors import error_from_status
from greenlight_client.transport import Transport


class Connected:
    """Holds the transport from `async with` to its end."""

    _open_transport: Transport | None = None

    @property
    def _transport(self) -> Transport:
        if self._open_transport is None:
            raise RuntimeError("the client is not open: `async with GreenlightClient(...) as client:`")
        return self._open_transport

    @property
    def _stub(self) -> OrchestratorServiceStub:
        return self._transport.stub


def checked(answer: orchestrator_pb2.ProposalAnswer) -> orchestrator_pb2.ProposalAnswer:
    """The answer of one item; raises the typed error of its status where that is not OK."""
    if answer.status.code != grpc.StatusCode.OK.value[0]:
        raise error_from_status(answer.status)
    return answer
