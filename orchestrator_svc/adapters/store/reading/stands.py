"""How far many batches and sessions are, a statement each: asked again and again while somebody watches them."""

from collections.abc import Sequence

from sqlalchemy import Connection

from orchestrator_svc.adapters.store.dialects import as_parameters
from orchestrator_svc.adapters.store.reading.any_rows import AnyRow
from orchestrator_svc.ports.feed import SessionStand, Stand

_SQLITE = "json_each(?) AS j ON batches.tenant = json_extract(j.value, '$[0]') AND {} = json_extract(j.value, '$[1]')"
_POSTGRESQL = "unnest($1::text[], $2::text[]) AS j (tenant, name) ON batches.tenant = j.tenant AND {} = j.name"
_BATCHES = """
SELECT batches.tenant, batches.session_id, batches.id, batches.head FROM batches JOIN {} WHERE batches.published = 1
"""
_SESSIONS = """
SELECT batches.tenant, batches.session_id, sum(batches.head) FROM batches JOIN {} WHERE batches.published = 1
GROUP BY batches.tenant, batches.session_id
"""


def of_batches(connection: Connection, wanted: Sequence[tuple[str, str]]) -> list[Stand]:
    return [Stand(*row) for row in _found(connection, _BATCHES, "batches.id", wanted)]


def of_sessions(connection: Connection, wanted: Sequence[tuple[str, str]]) -> list[SessionStand]:
    rows = _found(connection, _SESSIONS, "batches.session_id", wanted)
    return [SessionStand(tenant, session_id, int(events)) for tenant, session_id, events in rows]


def _found(connection: Connection, sql: str, column: str, wanted: Sequence[tuple[str, str]]) -> Sequence[AnyRow]:
    among = _POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE
    parameters = as_parameters(connection.dialect, list(wanted))
    return connection.exec_driver_sql(sql.format(among.format(column)), parameters).all()
