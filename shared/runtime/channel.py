"""Channels to other services: keepalive that servers agree with, no retries of gRPC's own."""

import grpc.aio

from shared.runtime.limits import CHANNEL_OPTIONS


def open_channel(address: str, *, reconnect_delay: float = 5.0) -> grpc.aio.Channel:
    """To HOST:PORT, in the clear. After a lost connection the next try is at most `reconnect_delay` seconds away."""
    delay_ms = int(reconnect_delay * 1000)
    backoff = [("grpc.initial_reconnect_backoff_ms", min(200, delay_ms)), ("grpc.max_reconnect_backoff_ms", delay_ms)]
    return grpc.aio.insecure_channel(address, options=[*CHANNEL_OPTIONS, *backoff])
