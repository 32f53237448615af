"""What health says: who cannot record does not serve."""

from collections.abc import Awaitable, Callable

from shared.runtime.server import GrpcServer


class Health:
    """NOT_SERVING while anything is the matter. `draining`: it stays so."""

    def __init__(self, server: GrpcServer, draining: Callable[[], bool]) -> None:
        self._server, self._draining = server, draining
        self._troubles: set[str] = set()

    async def follow(self, trouble: str, until: Callable[[bool], Awaitable[None]]) -> None:
        """`until(x)` returns once it is x that the trouble is there."""
        while True:
            await until(True)
            self._troubles.add(trouble)
            await self._server.not_serving()
            await until(False)
            self._troubles.discard(trouble)
            if not self._troubles and not self._draining():
                await self._server.serving()
