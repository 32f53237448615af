"""Leases on PostgreSQL: renewed on a connection of their own, so that no commit, and no disk, keeps them waiting."""

from sqlalchemy import Connection, text

from orchestrator_svc.adapters.store.failures import taken_over
from orchestrator_svc.ports.ownership import Beat, Lease

# One statement, so that no lock outlives a process that is paused.
_RENEW = text("""
WITH mine AS (UPDATE incarnations SET counter = counter + 1 WHERE id = :id AND superseded = 0 RETURNING id)
SELECT (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint AS time, (SELECT count(*) FROM mine) AS renewed,
       others.id, others.counter
FROM (SELECT 1) AS always LEFT JOIN incarnations AS others ON others.superseded = 0 AND others.id <> :id
""")
# A paused process, or one behind a broken network, keeps its locks; its lease has run out.
_END_SESSIONS = text("""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity, incarnations
WHERE incarnations.id = :id AND counter = :counter AND superseded = 0
  AND application_name = :name AND datname = current_database() AND usename = current_user
""")


def writer_name(incarnation: str) -> str:
    """What the server shows of the connection that a start writes on; at most 63 characters."""
    return f"greenlight writer {incarnation}"[:63]


def renew(connection: Connection, incarnation: str, name: str) -> Beat:
    """`name`: of the database, for people. Raises PreconditionError (STORE_TAKEN)."""
    rows = connection.execute(_RENEW, {"id": incarnation}).all()
    if not rows[0].renewed:
        raise taken_over(name)
    return Beat(rows[0].time, [Lease(row.id, row.counter) for row in rows if row.id is not None])


def end_sessions(connection: Connection, lease: Lease) -> None:
    """So that what another start has under way is over before it is superseded. Not if it was renewed meanwhile."""
    name = writer_name(lease.incarnation)
    connection.execute(_END_SESSIONS, {"id": lease.incarnation, "counter": lease.counter, "name": name}).all()
