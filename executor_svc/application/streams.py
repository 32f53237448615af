"""The streams that are open, and the slots granted to each: divided anew as streams come and go."""

from executor_svc.application.outbox import Outbox
from executor_svc.application.registry import Hosted, Registry
from executor_svc.domain.slots import divide

ToolKey = tuple[str, str]


class Stream:
    """One peer's stream. `open` calls hold one of its `grant` slots; `due` answers are still to go out on it."""

    __slots__ = ("due", "grant", "open", "outbox", "tool_grant", "tool_open")

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.open = 0
        self.grant = 0
        self.tool_open: dict[ToolKey, int] = {}
        self.tool_grant: dict[ToolKey, int] = {}
        self.due = 0

    def has_slot(self, hosted: Hosted) -> bool:
        """Whether its grants leave room for one more call of the tool."""
        if self.open >= self.grant:
            return False
        if hosted.limit is None:
            return True
        key = hosted.tool.spec.key
        return self.tool_open.get(key, 0) < self.tool_grant.get(key, 0)

    def hold(self, hosted: Hosted) -> None:
        self.open += 1
        if hosted.limit is not None:
            key = hosted.tool.spec.key
            self.tool_open[key] = self.tool_open.get(key, 0) + 1

    def free(self, hosted: Hosted) -> None:
        self.open -= 1
        if (used := self.tool_open.get(hosted.tool.spec.key, 0)) > 0:
            self.tool_open[hosted.tool.spec.key] = used - 1


class Streams:
    """All open streams. `settling`: one uses more than its share, so that a slot that comes free is to be divided."""

    def __init__(self, slots: int, registry: Registry) -> None:
        self.slots = slots
        self.settling = False
        self.draining = False
        self._registry = registry
        self._streams: list[Stream] = []

    def __iter__(self):
        return iter(self._streams)

    def __contains__(self, stream: Stream) -> bool:
        return stream in self._streams

    def add(self) -> Stream:
        """A new stream; its grant is there once `divide` has run."""
        stream = Stream()
        stream.outbox.draining = self.draining
        self._streams.append(stream)
        return stream

    def remove(self, stream: Stream) -> None:
        self._streams.remove(stream)

    def divide(self, running: int) -> None:
        """Grants anew what is there, given how many calls run in all; tells those whose grant has changed."""
        streams = self._streams
        used = [stream.open for stream in streams]
        capacity = 0 if self.draining else self.slots - (running - sum(used))
        shares = divide(capacity, used)
        tools = [self._divide_tool(hosted) for hosted in self._registry.limited()]
        for index, stream in enumerate(streams):
            tool_grant = {key: tool_shares[index] for key, tool_shares in tools}
            if (shares[index], tool_grant) != (stream.grant, stream.tool_grant):
                stream.grant, stream.tool_grant = shares[index], tool_grant
                stream.outbox.grant = True
                stream.outbox.wake.set()
        self.settling = any(use > share for use, share in zip(used, shares, strict=True)) or any(
            stream.tool_open.get(key, 0) > share
            for key, tool_shares in tools
            for stream, share in zip(streams, tool_shares, strict=True)
        )

    def _divide_tool(self, hosted: Hosted) -> tuple[ToolKey, list[int]]:
        key = hosted.tool.spec.key
        used = [stream.tool_open.get(key, 0) for stream in self._streams]
        limit = 0 if self.draining else hosted.limit or 0
        return key, divide(limit - (hosted.running - sum(used)), used)

    def drain(self) -> None:
        """Says to all that nothing more is taken."""
        self.draining = True
        for stream in self._streams:
            stream.outbox.draining = True
            stream.outbox.wake.set()

    def tools_changed(self) -> None:
        for stream in self._streams:
            stream.outbox.tools = True
            stream.outbox.wake.set()

    def stuck_changed(self) -> None:
        for stream in self._streams:
            stream.outbox.stuck = True
            stream.outbox.wake.set()

    def announce_started(self) -> None:
        """Wakes the writers of streams with calls that may have started without anyone saying so."""
        for stream in self._streams:
            if stream.outbox.fresh:
                stream.outbox.wake.set()
