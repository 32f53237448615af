"""A tool that can be run, and what it sees of the call that runs it."""

from typing import Protocol

from executor_svc.domain.call import Call
from executor_svc.domain.tool import ToolSpec


class RunningCall(Protocol):
    """One call while it runs. All methods are plain and return at once; all may be called from any thread."""

    @property
    def call(self) -> Call: ...

    @property
    def cancelled(self) -> bool:
        """True from when the call should stop."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds that it may run, from `started`."""
        ...

    def started(self) -> None:
        """The tool's own code runs from here on. Before, nothing had an effect; after, anything may have.

        Raises CancelledError where it was said meanwhile that the call never started.
        """
        ...

    def progress(self, fraction: float | None, message: str) -> None:
        """Tells how far it is; a newer one replaces one that has not been sent."""
        ...

    def chunk(self, text: bytes) -> None:
        """Hands out a part of the output (JSON text). Raises ToolFailure where they are more than the result limit."""
        ...


class Tool(Protocol):
    """One version of one tool."""

    @property
    def spec(self) -> ToolSpec: ...

    @property
    def limit(self) -> int | None:
        """Calls of it that may run at once here: what its spec says, or less, where this executor cannot do as much."""
        ...

    @property
    def probe(self) -> "Tool | None":
        """What looks for the effect of its calls: it is run with a call's arguments and origin, changes nothing, and
        gives that call's result, or nothing at all (empty) where it finds no effect. None: there is none."""
        ...

    def check(self, arguments: str) -> None:
        """Validates arguments without running anything. Raises InvalidError (ARGUMENTS_INVALID) with violations."""
        ...

    async def run(self, running: RunningCall) -> bytes:
        """Validates the arguments, calls `running.started()`, runs the tool, returns its result as JSON text (UTF-8).

        Raises InvalidError where the arguments do not fit (before `started`), ToolFailure where it knows the class and
        effect of a failure; anything else that it raises is taken for the tool's own exception.

        When it should stop it is cancelled, once. It may go on past that only while something runs that cannot be
        stopped (a thread), and then ends as that ends: until then it keeps its slot, and counts as stuck. So does a
        call that has failed, as long as something runs that it gave to threads.
        """
        ...
