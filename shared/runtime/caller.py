"""Who calls an RPC, from its metadata."""

from dataclasses import dataclass
from typing import Any

import grpc.aio

from shared.kernel.errors import FieldViolation, InvalidError
from shared.kernel.tenancy import PRINCIPAL_METADATA_KEY, TENANT_METADATA_KEY, Principal, Tenant


@dataclass(frozen=True, slots=True)
class Caller:
    """`traceparent` is as received, empty where there is none."""

    tenant: Tenant
    principal: Principal
    traceparent: str


def caller_of(context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
    """Raises InvalidError (METADATA_INVALID)."""
    found: dict[str, str | bytes] = {}
    for key, value in context.invocation_metadata() or ():
        if key not in (TENANT_METADATA_KEY, PRINCIPAL_METADATA_KEY, "traceparent"):
            continue
        if key in found and key != "traceparent":
            violation = FieldViolation(key, "must be given once")
            raise InvalidError("METADATA_INVALID", f"{key} must be given once", violations=[violation])
        found[key] = value
    traceparent = found.get("traceparent", "")
    return Caller(
        Tenant.parse(found.get(TENANT_METADATA_KEY)),
        Principal.parse(found.get(PRINCIPAL_METADATA_KEY)),
        traceparent if isinstance(traceparent, str) else "",
    )
