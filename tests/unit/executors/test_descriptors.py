"""What executors say of their tools: sound descriptors are used, malformed ones are named."""

from typing import Any

import pytest

from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.adapters.executor.descriptors import read_descriptors
from orchestrator_svc.domain.tool import Effect, RetryPolicy, Tier, ToolDescriptor, ToolKey
from tests.support.scripted_executor import described


def _read(tool: tool_pb2.ToolDescriptor) -> ToolDescriptor:
    (sound,), malformed = read_descriptors([tool])
    assert not malformed
    return sound


def test_everything_is_read():
    tool = described(
        "search",
        "2.1",
        description="Looks things up",
        arguments_schema_json='{"type":"object"}',
        result_schema_json="true",
        effect=tool_pb2.EFFECT_IDEMPOTENT,
        tier=tool_pb2.TIER_HARD,
        concurrency=4,
        result_limit_bytes=1_000,
        cost=tool_pb2.Cost(amount=0.5, unit="USD"),
        retry_policy=tool_pb2.RetryPolicy(max_attempts=5),
    )
    tool.timeout.FromSeconds(10)
    tool.stall_timeout.FromMilliseconds(1_500)
    tool.ttl.FromSeconds(60)
    tool.retry_policy.initial_delay.FromSeconds(1)
    assert _read(tool) == ToolDescriptor(
        ToolKey("search", "2.1"),
        "Looks things up",
        '{"type":"object"}',
        "true",
        Effect.IDEMPOTENT,
        Tier.HARD,
        10_000_000_000,
        1_500_000_000,
        60_000_000_000,
        4,
        1_000,
        0.5,
        "USD",
        RetryPolicy(5, 1_000_000_000, 30_000_000_000),
    )


def test_what_is_left_out_has_its_default():
    tool = _read(described(version="", tier=0, effect=tool_pb2.EFFECT_IDEMPOTENT))
    assert (tool.key.version, tool.tier, tool.timeout, tool.retry) == ("1", Tier.SOFT, None, None)


def test_later_enum_values_are_read_as_the_strictest():
    tool = _read(described(effect=9, tier=9))
    assert (tool.effect, tool.tier) == (Effect.NON_IDEMPOTENT, Tier.HARD)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "a/b"},
        {"name": "x" * 129},
        {"name": "a\n"},
        {"version": "1 2"},
        {"version": "1/2"},
        {"effect": 0},
        {"effect": -1},
        {"tier": -1},
        {"arguments_schema_json": ""},
        {"arguments_schema_json": "{"},
        {"arguments_schema_json": "[]"},
        {"arguments_schema_json": '"object"'},
        {"result_schema_json": "nope"},
        {"concurrency": -1},
        {"result_limit_bytes": -1},
        {"cost": tool_pb2.Cost(amount=float("nan"))},
        {"retry_policy": tool_pb2.RetryPolicy(max_attempts=-1)},
        {"timeout": {"seconds": -1}},
        {"timeout": {"seconds": 1 << 62}},
        {"stall_timeout": {"nanos": -1}},
    ],
)
def test_a_malformed_one_is_named_and_not_used(fields: dict[str, Any]):
    sound, malformed = read_descriptors([described(**fields), described("other")])
    assert [tool.key.name for tool in sound] == ["other"]
    assert len(malformed) == 1


def test_two_that_differ_are_not_both_used():
    one, same, other = described(), described(), described(description="another")
    sound, malformed = read_descriptors([one, same, other])
    assert len(sound) == 1
    assert malformed == {"echo@1": "described twice, and not the same"}


def test_names_of_malformed_ones_are_fit_to_be_shown():
    _, malformed = read_descriptors([described("\u20ac" * 1_000), described("\x1b[31m")])
    assert all(name.isascii() and len(name) < 1_000 for name in malformed)
