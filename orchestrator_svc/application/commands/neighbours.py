"""What a command needs to reach the other orchestrators of a store."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator_svc.ports.commands import Commands
from orchestrator_svc.ports.wakeups import Wakeups


@dataclass(frozen=True, slots=True)
class Neighbours:
    """`incarnation`: this start. `live`: whether there are others, as far as is known. `patience`: how long one of them
    is waited for, in s: some lease periods, so that the batches of one that died have found another owner."""

    commands: Commands
    wakeups: Wakeups
    incarnation: str
    live: Callable[[], bool]
    patience: float
