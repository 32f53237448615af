"""Who is asked to look for a call's effect."""

import random
from collections.abc import Sequence

from orchestrator_svc.ports.executor import Target


def whom_to_ask(able: Sequence[Target], sent_to: Target, but: Target | None) -> Target:
    """The start that the call was sent to, else another one of its executor, else any. Not `but`, unless there is no
    other."""
    rest = [target for target in able if target != but] or able
    if sent_to in rest:
        return sent_to
    return random.choice([target for target in rest if target.executor_id == sent_to.executor_id] or rest)
