"""What the engine waits for, and how much."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Times in ns, but for those in s that only the engine waits for.

    `answer_margin`: how long over its time a call may be before it is asked about. `store_patience`: how long a caller
    waits for a commit before it is told that the outcome is not known yet. `lease_period`: how long others wait for a
    sign of this orchestrator before they take over what is its own.
    """

    cancel_grace: int = 5_000_000_000
    queue_timeout: float = 30.0
    reattach_window: float = 60.0
    answer_margin: float = 10.0
    store_patience: float = 3.0
    max_backlog: int = 50_000
    lease_period: float = 5.0
    probe_max_delay: float = 60.0
