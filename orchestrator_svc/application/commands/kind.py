"""Commands as plain data, so that they can be carried to the orchestrator that has the batch."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
import orjson

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.engine.inbox import Operation
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes, CommandRecord

A = TypeVar("A")
R = TypeVar("R")

Handler = Callable[[Caller, Batch, A, RequestKey | None], Awaitable[Operation[R]]]
"""Gets the batch pinned; returns what the engine is to do to it. What that changes records its answer (`remember`),
where there is a key. Commands before it may still be in the engine's inbox: what it has to know of the batch, the
operation looks at, or it waits for them."""


class UnreadableError(Exception):
    """Arguments that this version does not know, or not all of them."""


@dataclass(frozen=True, slots=True)
class CommandKind(Generic[A, R]):
    """`name`: of the RPC that it serves, if it serves one. `arguments`: a dataclass of plain values.

    `handle` runs where the batch is. `load`: makes of what was recorded what the operation answered.
    """

    name: str
    arguments: type[A]
    handle: Handler[A, R]
    load: Callable[[bytes], R]

    def write(self, arguments: A) -> bytes:
        return msgspec.json.encode(arguments)

    def read(self, written: bytes) -> A:
        """Raises UnreadableError: also where something would get lost, which a newer version means to be heeded."""
        try:
            arguments = msgspec.json.decode(written, type=self.arguments)
        except msgspec.MsgspecError as error:
            raise UnreadableError(str(error)) from error
        if self.write(arguments) != written:
            raise UnreadableError("it has members that are not known here")
        return arguments


def remember(changes: Changes, key: RequestKey | None, answer: object) -> None:
    """The request's answer is recorded with what it did."""
    if key is not None:
        changes.command = CommandRecord(key.request_id, key.kind, key.payload_hash, orjson.dumps(answer))


def load_nothing(recorded: bytes) -> None:
    """Of a command whose answer says no more than that it was done."""


AnyKind = CommandKind[Any, Any]
