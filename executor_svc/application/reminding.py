"""Says again how calls ended, where nobody has acknowledged it for long: to whoever listens, in turn."""

import asyncio

from executor_svc.application.ledger import Ledger
from executor_svc.application.outbox import ReminderEntry
from executor_svc.application.streams import Streams
from shared.kernel.clock import Clock

_LOOKS = 12


class Reminding:
    """`run` is its one task. `after`: what is long, in s; it looks more often, for it says a few at a time."""

    def __init__(self, ledger: Ledger, streams: Streams, clock: Clock, after: float) -> None:
        self._ledger, self._streams, self._clock, self._period = ledger, streams, clock, after / _LOOKS
        self._turn = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._period)
            self.remind()

    def remind(self) -> None:
        """Of a few, to one: any orchestrator can bring them to the record."""
        streams = list(self._streams)
        if streams:
            self._turn += 1
            outbox = streams[self._turn % len(streams)].outbox
            for tenant, outcome in self._ledger.unheard(self._clock.monotonic()):
                outbox.put(ReminderEntry(tenant, outcome))
