"""What callers want done to batches, until a step gets to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from orchestrator_svc.application.engine.concluding import Caller
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes

T = TypeVar("T")
Operation = Callable[[Batch, Changes], T]


@dataclass(slots=True, eq=False)
class Command:
    """`received`: monotonic s. `urgent`: somebody waits for it."""

    batch: Batch
    operation: Operation[Any]
    caller: Caller
    received: float
    urgent: bool
