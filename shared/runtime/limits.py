"""Sizes and times that both ends of a connection have to agree on."""

MAX_REQUEST_BYTES = 16 << 20
"""What a service takes at most, in one request."""

MAX_RECEIVED_BYTES = 64 << 20
"""What a service receives at most, in one message: a request between the two is refused with words of ours, a larger
one by gRPC, which has none."""

MAX_SENT_BYTES = 3 << 20
"""What a service sends at most, in one message: stock clients take up to 4 MiB."""

_WINDOW_BYTES = 1 << 20
"""What may be under way on a stream before it is read. gRPC would measure how much is of use, by a ping whenever bytes
come in after a pause: small messages would all be followed by one, and its answer."""

_CLIENT_PING_MS = 30_000
_PING_TIMEOUT_MS = 10_000

_BOTH_ENDS: list[tuple[str, int]] = [
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
    ("grpc.keepalive_timeout_ms", _PING_TIMEOUT_MS),
    ("grpc.http2.ping_timeout_ms", _PING_TIMEOUT_MS),  # else 60 s, whatever keepalive says
    ("grpc.keepalive_permit_without_calls", 1),
]

SERVER_OPTIONS: list[tuple[str, int]] = [
    *_BOTH_ENDS,
    # A second server on a port must fail, not take every other connection.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_RECEIVED_BYTES),
    ("grpc.keepalive_time_ms", 2 * _CLIENT_PING_MS),
    # Below the clients' 30 s, or they would be told too_many_pings.
    ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
]

FRESH_CONNECTIONS: list[tuple[str, int]] = [("grpc.max_connection_age_ms", 300_000)]
"""Of a server that clients find by a name: their connections end now and then, without any harm to what runs on them,
because it is only then that gRPC looks whether there are more servers by now."""

CHANNEL_OPTIONS: list[tuple[str, int]] = [
    *_BOTH_ENDS,
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.keepalive_time_ms", _CLIENT_PING_MS),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_retries", 0),
]
