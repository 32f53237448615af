"""The orchestrator: takes proposals, has them approved and run, and tells what happens."""

from shared.runtime.transport import choose_transport

choose_transport()  # before anything here imports grpc
