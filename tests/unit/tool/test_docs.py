"""What docs/tools.md shows is run, as one module."""

import re
import types
from pathlib import Path

from greenlight_tool import Tool, errors, spec
from greenlight_tool.declaration import tool

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "tools.md").read_text(encoding="utf-8")


def test_its_examples_run():
    shown = types.ModuleType("shown")
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE):
        exec(compile(block, "docs/tools.md", "exec"), shown.__dict__)
    tools = [value for value in vars(shown).values() if isinstance(value, Tool)]
    assert len(tools) == 7


def test_it_names_everything_that_can_be_declared_and_raised():
    declared = set(tool.__kwdefaults__ or {}) | {"effect"}
    assert {name for name in declared if f"`{name}`" not in PAGE} == set()
    raised = [
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.ToolError)
    ]
    assert {name for name in raised if name != "ToolError" and f"`{name}" not in PAGE} == set()


def test_its_defaults_are_those_of_the_code():
    assert f"| {spec.DEFAULT_TIMEOUT:g} s |" in PAGE
    assert (spec.DEFAULT_RESULT_LIMIT, spec.MAX_RESULT_LIMIT) == (1 << 20, 2 << 20)
    retry = spec.Retry()
    assert f"{retry.max_attempts} attempts, {retry.initial_delay:g} s doubling to {retry.max_delay:g} s" in PAGE
    assert "**Stored and listed only**" in PAGE
