"""Who calls: tenant, principal and trace, out of a call's metadata."""

from typing import Any

from grpc.aio import ServicerContext

from orchestrator_svc.application.caller import Caller
from shared.kernel.errors import NotFoundError
from shared.runtime.caller import caller_of
from shared.runtime.telemetry.ids import parse_traceparent


class Callers:
    """`allowed_tenants` None: every tenant."""

    def __init__(self, allowed_tenants: frozenset[str] | None = None) -> None:
        self._allowed_tenants = allowed_tenants

    def of(self, context: ServicerContext[Any, Any]) -> Caller:
        """Raises InvalidError (METADATA_INVALID), NotFoundError (TENANT_UNKNOWN)."""
        caller = caller_of(context)
        tenant = str(caller.tenant)
        if self._allowed_tenants is not None and tenant not in self._allowed_tenants:
            raise NotFoundError("TENANT_UNKNOWN", f"no tenant {tenant!r} here", metadata={"tenant": tenant})
        parent = parse_traceparent(caller.traceparent)
        if parent is None:  # a malformed one counts as none, as W3C Trace Context has it
            return Caller(tenant, str(caller.principal))
        return Caller(tenant, str(caller.principal), parent.trace_id, parent.span_id)
