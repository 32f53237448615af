"""The slots of one stream: how many calls may be open on it, in all and by tool, and which ones are."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator_svc.domain.tool import ToolKey


@dataclass(slots=True, eq=False)
class ToolUse:
    """Calls of one tool on one stream. `limit` None: none of its own."""

    used: int = 0
    limit: int | None = None


class Slots:
    """Counts only; what is sent when is the outbox's."""

    def __init__(self) -> None:
        self.total = 0
        self.open: dict[str, ToolUse] = {}
        self._uses: dict[ToolKey, ToolUse] = {}
        self._limited: list[ToolUse] = []
        self._attached = ToolUse()

    def use(self, tool: ToolKey) -> ToolUse:
        use = self._uses.get(tool)
        if use is None:
            use = self._uses[tool] = ToolUse()
        return use

    def grant(self, total: int, by_tool: Mapping[ToolKey, int]) -> None:
        """Replaces the grant before it. Calls that are open stay open, also above it."""
        self.total = max(0, total)
        for use in self._limited:
            use.limit = None
        for tool, limit in by_tool.items():
            self.use(tool).limit = max(0, limit)
        self._limited = [self._uses[tool] for tool in by_tool]

    def free(self, tool: ToolKey) -> int:
        free = self.total - len(self.open)
        use = self._uses.get(tool)
        if use is not None and use.limit is not None:
            free = min(free, use.limit - use.used)
        return max(0, free)

    def take(self, call_id: str, tool: ToolKey) -> bool:
        """False: it is open already, and takes no second one."""
        return self._open(call_id, self.use(tool))

    def take_attached(self, call_id: str) -> bool:
        """As `take`, for a call of which only the id is known here."""
        return self._open(call_id, self._attached)

    def release(self, call_id: str) -> bool:
        """False: no such call is open, and nothing is freed."""
        use = self.open.pop(call_id, None)
        if use is None:
            return False
        use.used -= 1
        return True

    @property
    def exceeded(self) -> bool:
        """Whether more calls are open than granted: the grant shrank, or they were sent long after they were placed."""
        return len(self.open) > self.total or any(
            use.limit is not None and use.used > use.limit for use in self._limited
        )

    def _open(self, call_id: str, use: ToolUse) -> bool:
        if call_id in self.open:
            return False
        self.open[call_id] = use
        use.used += 1
        return True
