"""What makes a mutation repeatable: its request id, and a hash over everything else that it asks for."""

import re
from hashlib import sha256
from typing import Any

from google.protobuf.message import Message

from orchestrator_svc.api.mapping.faults import Faults
from orchestrator_svc.application.caller import RequestKey

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_HOW_LONG_TO_LOOK = ("until", "max_wait")


def request_key(request: Message) -> RequestKey | None:
    """None without an id. How long a stream goes on is not in the hash: it changes nothing, and a client that attaches
    again may have less patience left. Raises InvalidError (REQUEST_INVALID)."""
    message: Any = request
    request_id: str = message.request_id
    if not request_id:
        return None
    faults = Faults()
    if not _UUID.fullmatch(request_id):
        faults.add("request_id", "must be a UUID (8-4-4-4-12 hex digits), or empty")
    faults.check()
    payload = type(request)()
    payload.CopyFrom(request)
    for name in ("request_id", *_HOW_LONG_TO_LOOK):
        if name in payload.DESCRIPTOR.fields_by_name:
            payload.ClearField(name)
    hashed = sha256(payload.SerializeToString(deterministic=True)).digest()
    return RequestKey(request_id.lower(), request.DESCRIPTOR.name.removesuffix("Request"), hashed)
