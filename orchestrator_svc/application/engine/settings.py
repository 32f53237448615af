"""What the engine waits for, and how much."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Times in ns, but for the two in s that only the engine waits for."""

    cancel_grace: int = 5_000_000_000
    queue_timeout: float = 30.0
    reattach_window: float = 60.0
    max_backlog: int = 50_000
