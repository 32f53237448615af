"""Tools: one descriptor a name and version, for ever."""

from dataclasses import replace

from orchestrator_svc.domain.tool import Effect, RetryPolicy, Tier, ToolDescriptor, ToolKey
from orchestrator_svc.ports.store import Store, StoredTool

PLAIN = ToolDescriptor(ToolKey("noop", "1.0"), "Does nothing.", '{"type":"object"}', "", Effect.READ, Tier.AUTO)
FULL = ToolDescriptor(
    ToolKey("buy", "2.1"),
    "Buys \N{EURO SIGN}.",
    "{}",
    "{}",
    Effect.NON_IDEMPOTENT,
    Tier.HARD,
    timeout=1,
    stall_timeout=2,
    ttl=3,
    concurrency=4,
    result_limit=5,
    cost_amount=0.1,
    cost_unit="EUR",
    retry=RetryPolicy(5, 6, 7),
)


async def test_they_come_back_as_they_were(store: Store) -> None:
    assert await store.save_tools([PLAIN, FULL], 100) == []
    assert await store.load_tools() == [StoredTool(FULL, 100), StoredTool(PLAIN, 100)]


async def test_the_first_descriptor_stands(store: Store) -> None:
    await store.save_tools([PLAIN], 100)
    other = replace(PLAIN, description="Does something.")
    assert await store.save_tools([PLAIN, other, FULL], 200) == [other.key]
    assert await store.load_tools() == [StoredTool(FULL, 200), StoredTool(PLAIN, 100)]


async def test_a_probe_may_come_later(store: Store) -> None:
    assert await store.save_tools([PLAIN, FULL], 100) == []
    assert await store.save_tools([replace(PLAIN, probes=True), replace(FULL, probes=True)], 200) == []
    assert await store.load_tools() == [StoredTool(FULL, 100), StoredTool(PLAIN, 100)]


async def test_versions_are_apart(store: Store) -> None:
    newer = replace(PLAIN, key=ToolKey("noop", "2.0"), effect=Effect.IDEMPOTENT)
    await store.save_tools([newer], 100)
    assert await store.save_tools([PLAIN], 200) == []
    assert [tool.descriptor.key.version for tool in await store.load_tools()] == ["2.0", "1.0"]


async def test_nothing_to_save(store: Store) -> None:
    assert await store.save_tools([], 100) == []
    assert await store.load_tools() == []
