"""What a look for the effect of an unknown outcome means for it. Whom to ask, and when, is the engine's."""

from dataclasses import dataclass, replace

from orchestrator_svc.domain import events
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import Finding, Probe, Proposal
from orchestrator_svc.domain.settling import Ending, settle
from orchestrator_svc.domain.tool import KnownEffect
from orchestrator_svc.domain.unknown import end_look


@dataclass(frozen=True, slots=True)
class Look:
    """What a tool's probe said. `result` (JSON text) with FOUND, `message` with FAILED.

    `over`: before it looked, the attempt's executor had said that the attempt is over.
    """

    finding: Finding
    result: str = ""
    message: str = ""
    over: bool = False


def looked(batch: Batch, changes: Changes, proposal: Proposal, look: Look) -> None:
    """Of the last attempt of one that is OUTCOME_UNKNOWN.

    Found: it succeeded. Not found, of an attempt that is over: it had no effect, and fails as any such attempt. Else it
    stays unknown.
    """
    end_look(batch, changes, proposal)
    last = proposal.attempts[-1]
    before = last.probe
    probe = Probe(look.finding, changes.time, before.number + 1 if before else 1, look.message)
    proposal.attempts = (*proposal.attempts[:-1], last._replace(probe=probe))
    changes.touch(proposal)
    if before is None or before.finding is not look.finding:
        changes.emit(proposal, events.OutcomeProbed(look.finding, look.message))
    if look.finding is Finding.FOUND:
        settle(batch, changes, proposal, Ending(look.result, None))
    elif look.finding is Finding.NOT_FOUND and look.over:
        assert proposal.failure is not None
        message = f"{proposal.failure.message}; its effect was looked for, and is not there"
        failure = replace(proposal.failure, known_effect=KnownEffect.NONE, message=message)
        settle(batch, changes, proposal, Ending(None, failure))
