"""The executor as a process that minds no epoch: `python -m tests.support.minds_no_epoch`, with the arguments of
`python -m executor_svc`."""

import sys

from executor_svc.__main__ import main
from executor_svc.application import executor
from tests.support.broken_promises import Anybodys

if __name__ == "__main__":
    executor.Owners = Anybodys
    sys.exit(main())
