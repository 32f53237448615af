"""Watches the toolboxes' code and loads it anew when it changes; a broken edit keeps what was there."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from watchfiles import PythonFilter, awatch  # pyright: ignore[reportUnknownVariableType]

from executor_svc.adapters.toolboxes.python_module import ToolboxError
from executor_svc.adapters.toolboxes.toolset import OpenTools, Toolset
from executor_svc.ports.tool import Tool
from shared.kernel.tasks import Supervisor

_log = logging.getLogger(__name__)
Replace = Callable[[Sequence[Tool]], None]
Unused = Callable[[Sequence[Tool]], Awaitable[None]]


async def reload_on_change(toolset: Toolset, replace: Replace, unused: Unused, supervisor: Supervisor) -> None:
    """Runs until cancelled. `replace` takes the new tools; the old ones are closed when `unused` has returned."""
    while True:
        folders = toolset.folders()
        async for _ in awatch(*folders, watch_filter=PythonFilter(), recursive=False):
            old = toolset.current
            try:
                opened = await toolset.reload()
            except ToolboxError as error:
                _log.error("not reloaded, the tools stay as they were: %s", error)
                continue
            replace(opened.tools)
            _log.info("reloaded %d tools", len(opened.tools))
            if old is not None:
                supervisor.start(_close(old, unused), "closing old toolboxes")
            if toolset.folders() != folders:
                break


async def _close(old: OpenTools, unused: Unused) -> None:
    await unused(old.tools)
    await old.close()
