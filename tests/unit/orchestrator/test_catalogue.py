"""Which version of a tool is meant where none is named: the highest that was ever seen."""

from dataclasses import replace

import pytest

from orchestrator_svc.application.catalogue import UnknownToolError
from orchestrator_svc.domain.tool import ToolDescriptor, ToolKey, version_order
from tests.support.engine_world import later, spec
from tests.support.world import World, running, tool


def read(version: str) -> ToolDescriptor:
    return replace(tool("read"), key=ToolKey("read", version))


async def bring(world: World, *versions: str) -> None:
    """An executor more, later than those before it."""
    await later(world, 1)
    world.executors.add([read(version) for version in versions], executor_id=f"executor of {versions}")
    await world.settle()


def highest(world: World) -> str:
    return world.catalogue.find("read", "").key.version


@pytest.mark.parametrize(
    ("lower", "higher"),
    [("2", "10"), ("1.9", "1.10"), ("1.9", "2"), ("1", "1.0"), ("1.9.9", "1.10"), ("0.9", "00.10"), ("1-rc", "0.1")],
)
def test_dotted_integers_compare_as_numbers_whenever_they_were_seen(lower: str, higher: str) -> None:
    assert version_order(lower, 2) < version_order(higher, 1)


@pytest.mark.parametrize("version", ["beta", "2.x", "v3", "", "1.", "1..2", "-1", "\N{ARABIC-INDIC DIGIT TWO}"])
def test_anything_else_is_below_them_and_compares_by_when_it_was_seen(version: str) -> None:
    assert version_order(version, 9) < version_order("0", 1)
    assert version_order(version, 1) < version_order("alpha", 2) < version_order(version, 3)


async def test_without_a_version_the_highest_number_is_found() -> None:
    world = World()
    async with running(world, ()):
        await bring(world, "10", "9.9")
        await bring(world, "2")
        assert highest(world) == "10"
        assert world.catalogue.find("read", "2").key.version == "2"
        with pytest.raises(UnknownToolError, match=r"known versions: 2, 9\.9, 10"):
            world.catalogue.find("read", "3")


async def test_without_numbers_it_is_the_one_first_seen_last() -> None:
    world = World()
    async with running(world, ()):
        await bring(world, "zeta")
        await bring(world, "alpha")
        await bring(world, "zeta", "alpha")
        assert highest(world) == "alpha"
        await bring(world, "0.1")
        await bring(world, "omega")
        assert highest(world) == "0.1"


async def test_the_highest_stays_so_over_a_restart() -> None:
    earlier = World()
    async with running(earlier, ()):
        await bring(earlier, "zeta")
        await bring(earlier, "alpha")
        assert highest(earlier) == "alpha"
    restarted = World(earlier.store, earlier.clock)
    async with running(restarted, ()):
        assert highest(restarted) == "alpha"


async def test_a_proposal_keeps_the_version_that_was_the_highest() -> None:
    world = World()
    async with running(world, ()):
        await bring(world, "2", "10")
        first = await world.run(spec("read", "a"), spec("read", "b", version="2"))
        await bring(world, "11")
        second = await world.run(spec("read", "a"))
        proposals = [await world.proposal(proposal_id) for proposal_id in (f"{first}/a", f"{first}/b", f"{second}/a")]
        assert [proposal.tool.version for proposal in proposals] == ["10", "2", "11"]
