from collections.abc import AsyncIterator
from typing import Any

import pytest

from greenlight_tool import NOT_FOUND, NotFound, ToolContext, tool
from greenlight_tool.results import ResultError
from greenlight_tool.testing import ArgumentsError, call, fake_context, probe

SENT = {"key-1": "mail-7"}


async def find_mail(arguments: dict[str, Any], idempotency_key: str) -> str | NotFound:
    """By the key alone."""
    assert arguments["to"]
    return SENT.get(idempotency_key, NOT_FOUND)


@tool(effect="NON_IDEMPOTENT", probe=find_mail)
async def send_mail(to: str) -> str:
    """Sends a mail."""
    return "mail-7"


def find_order(arguments: dict[str, Any], idempotency_key: str, *, context: ToolContext) -> Any:
    """Where the lifespan says."""
    return context.lifespan.get((context.tenant, arguments["symbol"]), NOT_FOUND)


@tool(effect="NON_IDEMPOTENT", probe=find_order, probe_timeout=2)
def order(symbol: str) -> int:
    """Orders one."""
    return 1


@tool(effect="NON_IDEMPOTENT", probe=lambda arguments, idempotency_key: [1, 2])
async def stream() -> AsyncIterator[int]:
    """Two."""
    yield 1
    yield 2


async def test_what_it_finds_is_the_result_of_the_call():
    assert await probe(send_mail, {"to": "ada"}, "key-1") == "mail-7"
    assert await probe(send_mail, {"to": "ada"}, "key-2") is NOT_FOUND
    assert await call(send_mail, {"to": "ada"}) == "mail-7"
    assert await probe(stream) == [1, 2]


async def test_a_plain_one_gets_the_context_that_it_asks_for():
    context = fake_context(tenant="acme", lifespan={("acme", "ACME"): 3})
    assert await probe(order, {"symbol": "ACME"}, context=context) == 3
    assert await probe(order, {"symbol": "OTHER"}, context=context) is NOT_FOUND
    assert order.spec.probe_timeout == 2


async def test_arguments_and_what_it_found_are_validated_as_those_of_the_tool():
    with pytest.raises(ArgumentsError, match="to"):
        await probe(send_mail, {"to": 7})
    with pytest.raises(ResultError):
        await probe(order, {"symbol": "A"}, context=fake_context(lifespan={("default", "A"): "no number"}))


def test_a_declaration_that_cannot_stand_is_refused():
    with pytest.raises(ValueError, match="only a NON_IDEMPOTENT tool"):
        tool(effect="READ", probe=find_mail)(_nothing)
    with pytest.raises(TypeError, match=r"takes \(arguments, idempotency_key\)"):
        tool(effect="NON_IDEMPOTENT", probe=lambda arguments: NOT_FOUND)(_nothing)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="probe_timeout"):
        tool(effect="NON_IDEMPOTENT", probe=find_mail, probe_timeout=0)(_nothing)


async def test_a_tool_without_one_says_so():
    with pytest.raises(TypeError, match="declares no probe"):
        await probe(tool(effect="READ")(_nothing))


async def _nothing() -> None:
    """Nothing."""
