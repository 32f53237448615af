"""The Struct twin of JSON arguments. Its numbers are doubles: what a double cannot hold exactly is refused."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

import orjson
from google.protobuf.struct_pb2 import Struct, Value

from orchestrator_svc.api.mapping.faults import Faults

# What the double 2^53 was written as cannot be told: 2^53 + 1 is rounded to it.
_EXACT = (1 << 53) - 1


def struct_text(struct: Struct, place: str, faults: Faults) -> str:
    """JSON text; integral numbers become integers. `place`: of the field, whose exact twin is `place` + "_json"."""
    return orjson.dumps(_Reader(f"{place}_json", faults).members(struct, place)).decode()


@dataclass(frozen=True, slots=True)
class _Reader:
    twin: str
    faults: Faults

    def members(self, struct: Struct, place: str) -> dict[str, Any]:
        return {name: self._value(value, f"{place}.{name}") for name, value in struct.fields.items()}

    def _value(self, value: Value, place: str) -> Any:
        match value.WhichOneof("kind"):
            case "null_value":
                return None
            case "number_value":
                return self._number(value.number_value, place)
            case "string_value":
                return value.string_value
            case "bool_value":
                return value.bool_value
            case "struct_value":
                return self.members(value.struct_value, place)
            case "list_value":
                items = value.list_value.values
                return [self._value(item, f"{place}[{position}]") for position, item in enumerate(items)]
            case None:
                self.faults.add(place, "has no value; send null_value for null")
                return None

    def _number(self, number: float, place: str) -> int | float:
        if not isfinite(number):
            self.faults.add(place, f"{number} is not JSON; send null or a string")
            return 0
        if not number.is_integer():
            return number
        if abs(number) > _EXACT:
            self.faults.add(place, f"an integer beyond 2^53 - 1 is not exact as a double; send it by {self.twin}")
            return 0
        return int(number)
