"""What the tools wrote down outside of the system."""

from collections import Counter, defaultdict
from pathlib import Path


class Ledger:
    """By proposal id: effects, when the first one was (ns), idempotency keys; by call id: effects, how often it began,
    and when it ended (ns).

    `held`: calls that held their executor's event loop, by their own word.
    """

    def __init__(self, path: Path) -> None:
        self.effects: Counter[str] = Counter()
        self.effects_of_call: Counter[str] = Counter()
        self.first_effect: dict[str, int] = {}
        self.keys: defaultdict[str, set[str]] = defaultdict(set)
        self.began: Counter[str] = Counter()
        self.ended: dict[str, int] = {}
        self.held: set[str] = set()
        for line in path.read_text().splitlines():
            what, proposal_id, attempt, key, time = line.split()
            call_id = f"{proposal_id}/{attempt}"
            self.keys[proposal_id].add(key)
            if what == "began":
                self.began[call_id] += 1
            elif what == "effect":
                self.effects[proposal_id] += 1
                self.effects_of_call[call_id] += 1
                self.first_effect.setdefault(proposal_id, int(time))
            elif what == "held":
                self.held.add(call_id)
            else:
                self.ended[call_id] = int(time)
