"""The executor: runs the tool calls that an orchestrator sends."""

from shared.runtime.transport import choose_transport

choose_transport()  # before anything here imports grpc
