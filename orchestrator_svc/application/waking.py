"""What another orchestrator's wake-ups are for: each goes to whoever has a look then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator_svc.ports.feed import Feed, Stand
from orchestrator_svc.ports.wakeups import Wake, WakeKind, Wakeups


@dataclass(frozen=True, slots=True)
class Looks:
    """What to call, at once and without waiting: `commands` came, `answers` did, batches were `released`."""

    commands: Callable[[], None]
    answers: Callable[[], None]
    released: Callable[[], None]


class Waking:
    """`run` is its one supervised task."""

    def __init__(self, wakeups: Wakeups, feed: Feed, looks: Looks) -> None:
        self._wakeups, self._feed = wakeups, feed
        self._looks = {
            WakeKind.COMMAND: looks.commands,
            WakeKind.ANSWER: looks.answers,
            WakeKind.RELEASED: looks.released,
        }

    async def run(self) -> None:
        while True:
            self.wake(await self._wakeups.receive())

    def wake(self, wakes: Sequence[Wake]) -> None:
        """Once of a kind, however many there are."""
        kinds = {wake.kind for wake in wakes}
        missed = WakeKind.MISSED in kinds
        if missed:
            self._feed.nudge_all()
        self._feed.nudge([_stand(wake) for wake in wakes if wake.kind is WakeKind.MOVED])
        for kind, look in self._looks.items():
            if missed or kind in kinds:
                look()


def _stand(wake: Wake) -> Stand:
    return Stand(wake.tenant, wake.session_id, wake.batch_id, wake.head)
