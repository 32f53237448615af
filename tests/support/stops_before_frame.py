"""The orchestrator as a process that stops itself (SIGSTOP) once: what it sends first is on record, and is not sent.

`python -m tests.support.stops_before_frame`, with the arguments of `python -m orchestrator_svc`. What it sends first
has to be what a submission makes ready: that is committed before it is sent, whatever its effect.
"""

import signal
import sys
from collections.abc import Sequence

from orchestrator_svc.__main__ import main
from orchestrator_svc.adapters.executor.grpc import GrpcExecutors
from orchestrator_svc.bootstrap import parts
from orchestrator_svc.ports.executor import Call, Target


class StoppingExecutors(GrpcExecutors):
    """With SIGCONT it goes on where it was."""

    _stopped = False

    def send(self, target: Target, calls: Sequence[Call]) -> bool:
        if not self._stopped:
            self._stopped = True
            signal.raise_signal(signal.SIGSTOP)
        return super().send(target, calls)


if __name__ == "__main__":
    parts.GrpcExecutors = StoppingExecutors
    sys.exit(main())
