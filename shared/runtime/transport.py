"""Which of gRPC's two transports moves the bytes."""

import os


def choose_transport() -> None:
    """To be called before grpc is imported, which reads it then.

    gRPC reads on the thread that its completion queue is polled by, and not on a pool of its own that hands everything
    on to that thread: a message less from thread to thread each way. Who has set GRPC_EXPERIMENTS knows better.
    """
    os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")
