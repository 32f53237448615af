"""Descriptors of tools, as the JSON that they are kept as."""

from dataclasses import asdict
from typing import Any

import orjson
from sqlalchemy import Connection, select

from orchestrator_svc.adapters.store.tables import tools
from orchestrator_svc.domain.tool import Effect, RetryPolicy, Tier, ToolDescriptor, ToolKey
from orchestrator_svc.ports.store import StoredTool


def write_descriptor(descriptor: ToolDescriptor) -> str:
    members = asdict(descriptor)
    del members["probes"]  # it may come later
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS).decode()


def read_descriptor(text: str) -> ToolDescriptor:
    members: dict[str, Any] = orjson.loads(text)
    members["key"] = ToolKey(**members["key"])
    members["effect"], members["tier"] = Effect(members["effect"]), Tier(members["tier"])
    if members["retry"] is not None:
        members["retry"] = RetryPolicy(**members["retry"])
    return ToolDescriptor(**members)


def load_tools(connection: Connection) -> list[StoredTool]:
    statement = select(tools).order_by(tools.c.name, tools.c.first_seen, tools.c.version)
    return [StoredTool(read_descriptor(row.descriptor), row.first_seen) for row in connection.execute(statement)]
