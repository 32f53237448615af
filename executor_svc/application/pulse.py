"""A tick of the event loop while calls run, and time as the loop has lived it.

Timeouts count lived time: what the loop stood still (somebody blocked it) is taken off, so that a call does not time
out for a neighbour's fault. One tick looks after all calls; a timer of its own for each would cost more than the call.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from shared.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds. `tick`: how often timeouts are looked at; `stop_grace`: how long a call may take to stop;
    `loop_block`: how long a call may hold the loop; `loop_stall`: what counts as the loop standing still."""

    tick: float = 0.02
    stop_grace: float = 1.0
    loop_block: float = 0.5
    loop_stall: float = 0.2


class Pulse:
    """Ticks every `period` seconds while `on_tick` returns True; `wake` starts it again.

    A tick that comes more than `stall` seconds late means that the loop stood still for that long. `on_beat` comes with
    each tick, and when it is woken.
    """

    def __init__(
        self,
        clock: Clock,
        on_tick: Callable[[], bool],
        *,
        period: float,
        stall: float,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._on_tick = on_tick
        self._on_beat = on_beat
        self._period = period
        self._stall = stall
        self.stalled = 0.0
        self.beating = False
        self.beat = 0.0

    def lived(self) -> float:
        """Seconds, monotonic, less all time in which the loop stood still. Thread-safe."""
        return self._clock.monotonic() - self.stalled

    def wake(self) -> None:
        """Starts ticking unless it does."""
        if not self.beating:
            self.beating = True
            self.beat = self._clock.monotonic()
            self._on_beat()
            self._schedule()

    def tick(self) -> None:
        """One beat; public so that a test can hold the clock."""
        now = self._clock.monotonic()
        late = now - self.beat - self._period
        if late > self._stall:
            self.stalled += late
        self.beat = now
        self._on_beat()
        self.beating = self._on_tick()
        if self.beating:
            self._schedule()

    def _schedule(self) -> None:
        asyncio.get_running_loop().call_later(self._period, self.tick)
