"""Which wake-ups: PostgreSQL's where the store is there; else there is nobody to wake."""

from orchestrator_svc.adapters.store.postgresql_engines import parse_url
from orchestrator_svc.adapters.wakeups.memory import MemoryWakeups, WakeupBus
from orchestrator_svc.adapters.wakeups.postgresql import PostgresqlWakeups
from orchestrator_svc.ports.wakeups import Wakeups


def make_wakeups(address: str, incarnation: str) -> Wakeups:
    """`address`: of the database; '': the store is a file. Raises InvalidError (STORE_INVALID)."""
    return PostgresqlWakeups(parse_url(address), incarnation) if address else MemoryWakeups(WakeupBus(), incarnation)
