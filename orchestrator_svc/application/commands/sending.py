"""Commands for batches that another orchestrator has: sent, the answer waited for; or carried out here after all, where
it let the batch go."""

from typing import Any, TypeVar

from orchestrator_svc.application.commands.errand import Errand
from orchestrator_svc.application.commands.neighbours import Neighbours
from orchestrator_svc.application.commands.outbox import Outbox, Waiter
from orchestrator_svc.application.commands.performing import LOST, Performer
from orchestrator_svc.application.commands.refusals import read_refusal
from orchestrator_svc.application.engine.elsewhere import OwnedElsewhereError
from orchestrator_svc.application.requests import check_same
from orchestrator_svc.ports.commands import CommandAnswer, SentCommand
from shared.kernel.clock import Clock
from shared.kernel.errors import GreenlightError, UnavailableError

R = TypeVar("R")

FIRST_LOOK, LONGEST_LOOK = 0.15, 1.0
"""How long an answer is waited for before a look whether the batch can be had by now; each time for longer."""
SEND_AGAIN = 4
"""Every so many looks: its row may have been withdrawn by another one who asked the same."""

UNDECIDED = frozenset({LOST, "DRAINING", "STORE_DAMAGED", "STORE_UNAVAILABLE"})
"""Reasons that say nothing of the command itself: it stays where it is written down."""


class Sender:
    def __init__(self, neighbours: Neighbours, performer: Performer, outbox: Outbox, clock: Clock) -> None:
        self._to, self._performer, self._outbox, self._clock = neighbours, performer, outbox, clock

    def claims(self, command: SentCommand) -> bool:
        """Whether one that came back here with its batch is still waited for: then who waits carries it out."""
        waiter = self._outbox.waiting.get(command.id)
        if waiter is None:
            return False
        waiter.woken.set()
        return True

    async def send(self, errand: Errand[Any, R], owner: str) -> R:
        """Raises what the owner refuses it with; UnavailableError (OWNER_SILENT, STORE_UNAVAILABLE), where it is not
        known what became of it."""
        waiter = self._outbox.add(errand.written(self._to.incarnation), owner)
        try:
            return await self._follow(errand, waiter, owner)
        finally:
            self._outbox.remove(waiter)

    async def _follow(self, errand: Errand[Any, R], waiter: Waiter, owner: str) -> R:
        """What goes wrong on the way is tried again until patience ends: nobody else knows where the command is."""
        until = self._clock.monotonic() + self._to.patience
        pause, looks = FIRST_LOOK, 0
        while self._clock.monotonic() < until:
            await waiter.wait(pause)
            if waiter.answer is not None:
                return _read(errand, waiter.answer)
            looks += 1
            try:
                return await self._carry_out(errand, waiter)
            except OwnedElsewhereError as elsewhere:
                if elsewhere.incarnation != owner or looks % SEND_AGAIN == 0:
                    owner = elsewhere.incarnation
                    self._outbox.send(waiter, owner)
            except UnavailableError as error:
                if error.reason not in UNDECIDED:
                    raise
                waiter.trouble = error
            pause = min(2 * pause, LONGEST_LOOK)
        raise _not_known(waiter, self._to.patience)

    async def _carry_out(self, errand: Errand[Any, R], waiter: Waiter) -> R:
        """The batch belongs to nobody, or to this orchestrator by now. Raises OwnedElsewhereError where it does not.

        What is refused here, nobody else may be told to do a moment later.
        """
        try:
            return await self._performer.perform(errand, again=True)
        except GreenlightError as error:
            if error.reason not in UNDECIDED:
                await self._outbox.withdraw(waiter)
            raise


def _read(errand: Errand[Any, R], answer: CommandAnswer) -> R:
    """Raises InvalidError (REQUEST_ID_REUSED) where that was said to another request."""
    assert errand.key is not None, "it was sent"
    check_same(answer, errand.key)
    if answer.answer is not None:
        return errand.kind.load(answer.answer)
    assert answer.refusal is not None
    raise read_refusal(answer.refusal)


def _not_known(waiter: Waiter, patience: float) -> UnavailableError:
    trouble = waiter.trouble
    if trouble is None:
        reason, why = "OWNER_SILENT", f"the orchestrator that has the batch has not answered for {patience:g} s"
    else:
        reason, why = trouble.reason, trouble.message
    problem = f"whether this was done is not known: look at the batch, or ask again with the same request_id. {why}"
    return UnavailableError(reason, problem, metadata={"batch_id": waiter.command.batch_id}, retry_after=1.0)
