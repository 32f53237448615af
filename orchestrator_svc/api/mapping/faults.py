"""What is wrong with a request's form: collected by field, refused at once."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration

from shared.kernel.errors import FieldViolation, InvalidError

E = TypeVar("E", bound=IntEnum)

SECOND = 1_000_000_000
_MOST = 20
_LONGEST_SECONDS = 100 * 365 * 86_400


@dataclass(slots=True)
class Faults:
    """`reason`: of the error that `check` raises."""

    reason: str = "REQUEST_INVALID"
    found: list[FieldViolation] = field(default_factory=list[FieldViolation])

    def add(self, place: str, problem: str) -> None:
        if len(self.found) < _MOST:
            self.found.append(FieldViolation(place, problem))

    def check(self) -> None:
        """Raises InvalidError if there is any."""
        if self.found:
            first = self.found[0]
            message = f"{first.field}: {first.description}"
            raise InvalidError(self.reason, message, violations=self.found)

    def enum(self, kind: type[E], number: int, place: str) -> E | None:
        """None: unspecified, or a fault."""
        if number == 0:
            return None
        try:
            return kind(number)
        except ValueError:
            known = ", ".join(f"{member.name} = {int(member)}" for member in kind if member)
            self.add(place, f"{number} is not known here; there are {known}")
            return None

    def duration(self, value: Duration, place: str) -> int:
        """In ns."""
        seconds, nanos = value.seconds, value.nanos
        if seconds < 0 or nanos < 0:
            self.add(place, "must not be negative")
        elif nanos >= SECOND:
            self.add(place, "is malformed: nanos must be below 1,000,000,000")
        elif seconds > _LONGEST_SECONDS:
            self.add(place, "is longer than 100 years; leave it out for the default")
        else:
            return seconds * SECOND + nanos
        return 0

    def not_negative(self, value: int, place: str) -> int:
        if value < 0:
            self.add(place, "must not be negative")
        return value
