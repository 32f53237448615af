"""`--json`: one object a line, `{"type": T, T: {...}}`, the body being the proto message with its own field names."""

import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message


def json_line(kind: str, message: Message) -> str:
    """proto3 JSON mapping: 64-bit integers are strings, enums their names; fields at their default are there."""
    body = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return object_line(kind, body)


def object_line(kind: str, body: Any) -> str:
    """ASCII only: no text of a tool can reach a terminal through it."""
    return json.dumps({"type": kind, kind: body}, separators=(",", ":"))
