"""Tools that go for the executor itself."""

from greenlight_tool import tool


@tool(effect="READ")
async def power(exponent: int) -> int:
    """A number of so many digits, and one."""
    return 10**exponent
