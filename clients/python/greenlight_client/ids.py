"""The client's one source of request ids: random UUIDs, one a mutation, the same for each retry of it."""

import secrets
from uuid import UUID


def new_request_id() -> str:
    """A random UUID (version 4) as text."""
    return str(UUID(bytes=secrets.token_bytes(16), version=4))
