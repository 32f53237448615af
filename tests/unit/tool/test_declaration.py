import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from greenlight_tool import Cost, Effect, Retry, Tier, ToolContext, tool
from greenlight_tool.declaration import Kind


class Order(BaseModel):
    symbol: str
    amount: int


@tool(effect="READ")
async def quote(ticker: str, days: int = 30, *, context: ToolContext) -> dict[str, float]:
    """Returns the last price.

    More text.

    Args:
        ticker: the symbol,
            upper case
        days (int): how far back

    Returns:
        The price: by day.
    """
    return {"price": 1.0}


def test_name_description_and_parameter_texts_come_from_the_function():
    schema = json.loads(quote.spec.arguments_schema)
    assert (quote.spec.name, quote.spec.version) == ("quote", "1")
    assert quote.spec.description == "Returns the last price.\n\nMore text."
    assert schema == {
        "type": "object",
        "properties": {
            "ticker": {"type": "string", "description": "the symbol, upper case"},
            "days": {"type": "integer", "default": 30, "description": "how far back"},
        },
        "required": ["ticker"],
        "additionalProperties": False,
    }
    assert json.loads(quote.spec.result_schema or "") == {"type": "object", "additionalProperties": {"type": "number"}}


@pytest.mark.parametrize(
    ("effect", "tier"),
    [(Effect.READ, Tier.AUTO), (Effect.IDEMPOTENT, Tier.SOFT), (Effect.NON_IDEMPOTENT, Tier.HARD)],
)
def test_the_tier_follows_from_the_effect(effect: Effect, tier: Tier):
    @tool(effect=effect)
    def act() -> None: ...

    assert act.spec.tier is tier


def test_everything_that_is_declared_is_in_the_spec():
    @tool(
        effect=Effect.READ,
        name="a.b-c_D",
        version="2.1",
        description="said",
        tier="HARD",
        timeout=1.5,
        stall_timeout=0.5,
        ttl=60,
        concurrency=3,
        result_limit=1000,
        cost=Cost(0.01, "USD"),
        retry=Retry(5, 0.1, 1),
    )
    def act() -> None: ...

    spec = act.spec
    assert (spec.name, spec.version, spec.description, spec.tier) == ("a.b-c_D", "2.1", "said", Tier.HARD)
    assert (spec.timeout, spec.stall_timeout, spec.ttl) == (1.5, 0.5, 60)
    assert (spec.concurrency, spec.result_limit, spec.cost) == (3, 1000, Cost(0.01, "USD"))
    assert spec.retry == Retry(5, 0.1, 1)


def test_a_tool_still_is_the_function():
    @tool(effect="READ")
    def add(a: int, b: int = 2) -> int:
        """Adds."""
        return a + b

    assert add(1) == 3
    assert (add.__name__, add.__doc__) == ("add", "Adds.")


def test_the_kind_is_seen_from_the_function():
    @tool(effect="READ")
    def plain() -> None: ...

    @tool(effect="READ")
    async def generator() -> AsyncIterator[int]:
        yield 1

    assert [t.kind for t in (plain, quote, generator)] == [Kind.PLAIN, Kind.COROUTINE, Kind.GENERATOR]
    assert json.loads(generator.spec.result_schema or "") == {"type": "array", "items": {"type": "integer"}}


def test_parameters_may_have_names_that_pydantic_uses_itself():
    @tool(effect="READ")
    def act(schema: str, json: int, copy: bool, model_config: Order, _x: Annotated[int, Field(ge=1)] = 1) -> None: ...

    properties = json.loads(act.spec.arguments_schema)["properties"]
    assert list(properties) == ["schema", "json", "copy", "model_config", "_x"]
    assert properties["_x"] == {"type": "integer", "minimum": 1, "default": 1}


def test_without_a_return_hint_there_is_no_result_schema():
    @tool(effect="READ")
    def act(a: int): ...

    @tool(effect="READ")
    def anything(a: int) -> Any: ...

    assert act.spec.result_schema is None
    assert anything.spec.result_schema is None


def test_the_effect_is_required_and_the_error_says_so():
    misused: Any = tool
    with pytest.raises(TypeError, match="effect"):
        misused(lambda: None)
    with pytest.raises(TypeError, match="effect"):
        misused()
    with pytest.raises(ValueError, match="READ, IDEMPOTENT or NON_IDEMPOTENT, not 'WRITE'"):
        misused(effect="WRITE")(lambda: None)
    with pytest.raises(TypeError, match=r"@tool\(effect"):
        misused(lambda: None, effect="READ")


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"name": "a b"}, "tool name"),
        ({"name": "x" * 129}, "tool name"),
        ({"version": ""}, "version"),
        ({"version": "1 0"}, "version"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"stall_timeout": -1}, "stall_timeout"),
        ({"ttl": float("inf")}, "ttl"),
        ({"concurrency": 0}, "concurrency"),
        ({"result_limit": 3 << 20}, "result_limit"),
        ({"cost": Cost(-1, "USD")}, "cost"),
        ({"retry": Retry(max_attempts=0)}, "retry"),
        ({"tier": "T1"}, "T1"),
        ({"retry": 3}, r"tool \w+: retry is a Retry\(.*, not 3"),
        ({"cost": 0.1}, r"tool \w+: cost is a Cost\(.*, not 0.1"),
        ({"stall_timeout": "5"}, r"tool \w+: stall_timeout is seconds above 0, at most a year, not '5'"),
        ({"probe": lambda arguments, key: None}, r"tool \w+: only a NON_IDEMPOTENT tool"),
    ],
)
def test_a_declaration_that_cannot_stand_is_refused(declared: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):

        @tool(effect="READ", **declared)
        def act() -> None: ...


def test_a_parameter_without_a_hint_is_refused_by_name():
    with pytest.raises(TypeError, match="tool act: parameter a needs a type hint"):

        @tool(effect="READ")
        def act(a) -> None: ...  # pyright: ignore


def test_parameters_that_cannot_be_passed_by_name_are_refused():
    with pytest.raises(TypeError, match="parameter args"):

        @tool(effect="READ")
        def act(*args: int) -> None: ...


def test_types_without_a_json_form_are_refused():
    class Socket: ...

    with pytest.raises(TypeError, match="tool act"):

        @tool(effect="READ")
        def act(a: Socket) -> None: ...

    with pytest.raises(TypeError, match="tool give: its return type"):

        @tool(effect="READ")
        def give() -> Socket: ...  # pyright: ignore


def test_a_plain_generator_is_refused():
    with pytest.raises(TypeError, match="async def"):

        @tool(effect="READ")
        def act() -> Any:
            yield 1
