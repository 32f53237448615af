"""Every RPC of the proto has one handler, of the right kind; who calls is read from the metadata."""

from dataclasses import fields
from types import SimpleNamespace
from typing import Any, cast

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.api.callers import Callers
from orchestrator_svc.api.servicer import OrchestratorApi, add_to_server
from orchestrator_svc.api.use_cases import UseCases
from orchestrator_svc.application.caller import Caller
from shared.kernel.errors import NotFoundError

SERVICE = pb.DESCRIPTOR.services_by_name["OrchestratorService"]


def _api() -> OrchestratorApi:
    use_cases = UseCases(*[cast(Any, None)] * len(fields(UseCases)))
    return OrchestratorApi(use_cases, cast(Any, None))


def test_every_rpc_has_one_handler():
    api = _api()
    handled = [*api.streams, *api.mutations, *api.reads]
    assert sorted(handled) == sorted(method.name for method in SERVICE.methods)
    assert set(api.streams) == {method.name for method in SERVICE.methods if method.server_streaming}


def test_what_has_a_request_id_is_a_mutation():
    api = _api()
    mutations = {m.name for m in SERVICE.methods if "request_id" in m.input_type.fields_by_name}
    assert {*api.mutations} == mutations - {*api.streams}


def test_all_of_it_is_put_on_a_server():
    added: list[Any] = []
    server = SimpleNamespace(add_generic_rpc_handlers=added.extend)
    assert add_to_server(_api(), cast(Any, server)) == ["greenlight.orchestrator.v1.OrchestratorService"]
    (generic,) = added
    for method in SERVICE.methods:
        handler = generic.service(SimpleNamespace(method=f"/{SERVICE.full_name}/{method.name}"))
        assert handler.response_streaming is method.server_streaming
        assert not handler.request_streaming


def _context(*metadata: tuple[str, str]) -> Any:
    return SimpleNamespace(invocation_metadata=lambda: metadata)


def test_who_calls():
    callers = Callers()
    assert callers.of(_context()) == Caller("default", "user:anonymous", "")
    trace = "0af7651916cd43dd8448eb211c80319c"
    assert callers.of(
        _context(
            ("greenlight-tenant", "red"),
            ("greenlight-principal", "agent:planner"),
            ("traceparent", f"00-{trace}-b7ad6b7169203331-01"),
        )
    ) == Caller("red", "agent:planner", trace, "b7ad6b7169203331")


def test_only_some_tenants():
    callers = Callers(frozenset({"red"}))
    assert callers.of(_context(("greenlight-tenant", "red"))).tenant == "red"
    with pytest.raises(NotFoundError, match="TENANT_UNKNOWN"):
        callers.of(_context())
