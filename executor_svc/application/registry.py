"""The tools that this executor has now, and how many calls of each run."""

from collections.abc import Sequence

from executor_svc.application.tracebacks import Tracebacks
from executor_svc.domain.digest import Digester
from executor_svc.domain.tool import Effect, ToolSpec, version_order
from executor_svc.ports.tool import Tool
from shared.kernel.errors import NotFoundError


class Hosted:
    """A tool, and what is counted of it. `limit` is None where it has none of its own.

    `journalled`: its calls are written down. Once they are they stay so, whatever is loaded later: who sent a call goes
    by the effect that it knew. `probe`: what looks for the effect of its calls, if anything does.
    """

    __slots__ = ("digest", "journalled", "limit", "probe", "running", "tool", "tracebacks")

    def __init__(self, tool: Tool, journalled: bool) -> None:
        self.tool = tool
        self.digest = Digester(tool.spec.name, tool.spec.version)
        self.limit = tool.limit
        self.journalled = journalled
        self.running = 0
        self.tracebacks = Tracebacks()
        self.probe = Hosted(tool.probe, journalled=False) if tool.probe is not None else None


class Registry:
    """Looked up on every call; replaced as a whole when tools are loaded anew."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._hosted: dict[tuple[str, str], Hosted] = {}
        self._journalled: set[tuple[str, str]] = set()
        self.replace(tools)

    def replace(self, tools: Sequence[Tool]) -> None:
        """Calls that run go on with the tool that they were started with, and are still counted."""
        before = self._hosted
        self._hosted = {}
        self._journalled |= {tool.spec.key for tool in tools if tool.spec.effect is Effect.NON_IDEMPOTENT}
        for tool in tools:
            journalled = tool.spec.key in self._journalled
            fresh = Hosted(tool, journalled)
            hosted = self._hosted[tool.spec.key] = before.get(tool.spec.key) or fresh
            hosted.tool, hosted.limit, hosted.journalled, hosted.probe = tool, tool.limit, journalled, fresh.probe

    def find(self, name: str, version: str) -> Hosted | None:
        return self._hosted.get((name, version))

    def pick(self, name: str, version: str) -> Hosted:
        """As `find`; no version means the highest. Raises NotFoundError (TOOL_UNKNOWN)."""
        if not version:
            version = max((v for n, v in self._hosted if n == name), key=version_order, default="")
        hosted = self.find(name, version)
        if hosted is None:
            raise NotFoundError("TOOL_UNKNOWN", f"no tool {name!r} {version!r} here", metadata={"tool": name})
        return hosted

    def specs(self) -> list[ToolSpec]:
        """By name, then version."""
        specs = [hosted.tool.spec for hosted in self._hosted.values()]
        return sorted(specs, key=lambda spec: (spec.name, version_order(spec.version)))

    def limited(self) -> list[Hosted]:
        """The tools with a limit of their own."""
        return [hosted for hosted in self._hosted.values() if hosted.limit is not None]
