"""How far many batches are, in one statement: what is asked again and again while somebody watches them."""

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection

from orchestrator_svc.adapters.store.dialects import as_columns
from orchestrator_svc.ports.feed import Stand

_FOUND = "SELECT batches.tenant, batches.session_id, batches.id, batches.head FROM batches JOIN"
_SQLITE = f"""
{_FOUND} json_each(?) AS j
  ON batches.tenant = json_extract(j.value, '$[0]') AND batches.id = json_extract(j.value, '$[1]')
WHERE batches.published = 1
"""
_POSTGRESQL = f"""
{_FOUND} unnest($1::text[], $2::text[]) AS j (tenant, id) ON batches.tenant = j.tenant AND batches.id = j.id
WHERE batches.published = 1
"""


def find(connection: Connection, wanted: Sequence[tuple[str, str]]) -> list[Stand]:
    if connection.dialect.name == "postgresql":
        found = connection.exec_driver_sql(_POSTGRESQL, as_columns(list(wanted)))
    else:
        found = connection.exec_driver_sql(_SQLITE, (orjson.dumps(wanted).decode(),))
    return [Stand(*row) for row in found.all()]
