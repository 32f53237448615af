"""Commands of other orchestrators for one batch that wait together: judged in order, each on what those before it have
left, and recorded as what is asked here at once: in as few transactions as hold them.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from orchestrator_svc.application.caller import RequestKey
from orchestrator_svc.application.commands.errand import read_errand
from orchestrator_svc.application.commands.kind import AnyKind, UnreadableError
from orchestrator_svc.application.commands.neighbours import Neighbours
from orchestrator_svc.application.commands.refusals import write_refusal
from orchestrator_svc.application.commands.sending import UNDECIDED
from orchestrator_svc.application.engine.elsewhere import OwnedElsewhereError
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.requests import Requests, check_same
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.ports.commands import SentCommand
from orchestrator_svc.ports.store import Request
from orchestrator_svc.ports.wakeups import Wake, WakeKind
from shared.kernel.errors import GreenlightError, InternalError, UnavailableError

_log = logging.getLogger(__name__)

Judged = asyncio.Future[Any] | GreenlightError | None
"""Done once what it changed is on record; or why it is refused; None: it had been carried out already."""


class Carrier:
    """`kinds`: by name."""

    def __init__(
        self, neighbours: Neighbours, kinds: Mapping[str, AnyKind], engine: Engine, requests: Requests
    ) -> None:
        self._to, self._kinds, self._engine, self._requests = neighbours, kinds, engine, requests

    async def carry_out(self, commands: Sequence[SentCommand]) -> None:
        """All for one batch. One that cannot be judged now, or is lost with its batch, stays where it is written down,
        and so do those behind it. Raises OwnedElsewhereError, UnavailableError."""
        async with AsyncExitStack() as stack:
            judged = await self._judge_all(commands, stack)
            refusals: list[tuple[SentCommand, bytes]] = []
            for command, error in zip(commands, await _errors(judged), strict=False):
                if error is not None and error.reason in UNDECIDED:
                    break  # what the next ones were refused for may be what this one would have done
                if error is not None:
                    refusals.append((command, write_refusal(error)))
            if refusals:
                await self._to.commands.refuse(refusals)
                self._tell(*[command.sender for command, _ in refusals])

    async def _judge_all(self, commands: Sequence[SentCommand], stack: AsyncExitStack) -> list[Judged]:
        """Fewer than there are commands, where one has to wait. One batch object for all of them: if it is lost with
        what one of them has changed, none behind that one is carried out without it."""
        tenant, batch_id = commands[0].tenant, commands[0].batch_id
        try:
            for command in commands:
                await stack.enter_async_context(self._requests.command(tenant, batch_id, command.request_id))
            batch = await stack.enter_async_context(self._engine.live.pin(tenant, batch_id))
            earlier = await self._requests.known(tenant, [command.request_id for command in commands])
        except OwnedElsewhereError:
            raise
        except Exception as error:
            return [_refusal(error, f"commands for batch {batch_id}")] * len(commands)
        judged: list[Judged] = []
        for command in commands:
            judged.append(one := await self._judge(command, batch, earlier.get(command.request_id)))
            if isinstance(one, GreenlightError) and one.reason in UNDECIDED:
                _log.warning("commands for batch %s wait: %s", batch_id, one)
                break
        return judged

    async def _judge(self, command: SentCommand, batch: Batch, earlier: Request | None) -> Judged:
        kind = self._kinds.get(command.kind)
        if kind is None:
            return _incompatible(f"it knows no command {command.kind}")
        try:
            check_same(earlier, RequestKey(command.request_id, command.kind, command.payload_hash))
            if earlier is not None and command.batch_id in earlier.answers:
                self._tell(command.sender)
                return None
            errand = read_errand(kind, command)
            operation = await kind.handle(errand.caller, batch, errand.arguments, errand.key)
            asked = self._engine.ask(batch, operation)
        except UnreadableError as error:
            return _incompatible(f"it cannot read this {command.kind}: {error}")
        except Exception as error:
            return _refusal(error, f"{command.kind} from another orchestrator")
        asked.add_done_callback(lambda done: self._answered(command.sender, done))
        return asked

    def _answered(self, sender: str, done: asyncio.Future[Any]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._tell(sender)

    def _tell(self, *senders: str) -> None:
        """Their answers are there."""
        self._to.wakeups.send([Wake(WakeKind.ANSWER, to=sender) for sender in senders])


async def _errors(judged: Sequence[Judged]) -> list[GreenlightError | None]:
    """Why not, when what becomes of each is known."""
    asked = [one for one in judged if isinstance(one, asyncio.Future)]
    outcomes = iter(await asyncio.gather(*asked, return_exceptions=True))
    return [_error(next(outcomes)) if isinstance(one, asyncio.Future) else one for one in judged]


def _error(outcome: Any) -> GreenlightError | None:
    if isinstance(outcome, BaseException) and not isinstance(outcome, GreenlightError):
        raise outcome
    return outcome if isinstance(outcome, GreenlightError) else None


def _refusal(error: Exception, what: str) -> GreenlightError:
    if isinstance(error, GreenlightError):
        return error
    _log.error("%s: it has failed", what, exc_info=error)
    return InternalError("INTERNAL", "internal error")


def _incompatible(why: str) -> UnavailableError:
    return UnavailableError(
        "OWNER_INCOMPATIBLE",
        f"the orchestrator that has the batch is of another version: {why}; try again when both are of the same",
        retry_after=5.0,
    )
