"""Which of gRPC's two transports moves the bytes."""

import importlib
import os

_NAME = "GRPC_EXPERIMENTS"


def choose_transport() -> None:
    """To be called before grpc is imported: it is then that it reads what is chosen, and the only way to tell it.

    gRPC reads on the thread that its completion queue is polled by, and not on a pool of its own that hands everything
    on to that thread: a message less from thread to thread each way. Who has chosen in the environment knows better.
    """
    if _NAME in os.environ:
        return
    os.environ[_NAME] = "-event_engine_client,-event_engine_listener"
    try:
        importlib.import_module("grpc")
    finally:
        del os.environ[_NAME]  # programs that tools start have a gRPC of their own
