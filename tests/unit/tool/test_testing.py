import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from greenlight_tool import NONE, POSSIBLE, Cancelled, RateLimited, ToolContext, ToolError, tool
from greenlight_tool.results import ResultError
from greenlight_tool.testing import ArgumentsError, RecordedSignals, call, fake_context


@tool(effect="READ")
async def price(ticker: str, context: ToolContext) -> dict[str, Any]:
    context.progress(0.5, "half")
    return {"ticker": ticker, "tenant": context.tenant, "pool": context.lifespan}


@tool(effect="READ")
async def count(n: int, context: ToolContext) -> AsyncIterator[int]:
    for i in range(n):
        context.raise_if_cancelled()
        yield i


@tool(effect="READ", result_limit=10)
def blocking(text: Any) -> Any:
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    return text


async def test_a_tool_runs_with_a_made_up_context():
    assert await call(price, {"ticker": "A"}) == {"ticker": "A", "tenant": "default", "pool": None}


async def test_what_it_says_is_recorded():
    signals = RecordedSignals()
    context = fake_context(tenant="acme", signals=signals)
    assert (await call(price, {"ticker": "A"}, context=context))["tenant"] == "acme"
    assert signals.progressed == [(0.5, "half")]


async def test_a_generators_yields_are_its_chunks_and_its_result():
    signals = RecordedSignals()
    assert await call(count, {"n": 3}, context=fake_context(signals=signals)) == [0, 1, 2]
    assert signals.chunks == [0, 1, 2]


async def test_a_tool_is_asked_to_stop():
    signals = RecordedSignals()
    signals.cancelled = True
    with pytest.raises(Cancelled):
        await call(count, {"n": 3}, context=fake_context(signals=signals))


@tool(effect="READ")
async def nothing() -> float:
    return float("nan")


async def test_a_plain_function_runs_off_the_loop():
    assert await call(blocking, {"text": "a"}) == "a"


async def test_arguments_and_results_are_held_to_what_the_executor_holds_them_to():
    with pytest.raises(ArgumentsError):
        await call(price, {"ticker": 1})
    with pytest.raises(ArgumentsError, match="too large for a double"):
        await call(blocking, '{"text": [1e999]}')
    with pytest.raises(ResultError, match="NaN"):
        await call(nothing)
    with pytest.raises(ValueError, match="more than the limit of 10"):
        await call(blocking, {"text": "x" * 20})


async def test_the_lifespan_is_entered_and_left():
    left: list[bool] = []

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[str]:
        yield "pool"
        left.append(True)

    assert (await call(price, {"ticker": "A"}, lifespan=lifespan()))["pool"] == "pool"
    assert left == [True]


def test_errors_say_what_is_known_of_the_effect():
    assert ToolError("x").effect is POSSIBLE
    error = RateLimited("slow down", effect=NONE, retry_after=1.5)
    assert (error.failure_class, error.effect, error.retry_after, error.reason) == (
        "RATE_LIMITED",
        NONE,
        1.5,
        "RATE_LIMITED",
    )


def test_what_is_left_of_the_time():
    assert 0 < fake_context().remaining() <= 30
    assert fake_context(expires=0.0).remaining() == 0
