"""What checks values against a JSON Schema. Owns the contract; which library does it is the adapter's."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a value: `path` is a JSON Pointer into it ("" is the value itself), `message` for people."""

    path: str
    message: str


class SchemaValidator(Protocol):
    """One compiled schema. Immutable; may be used from any thread."""

    def validate(self, value: object) -> list[Violation]:
        """Judge decoded JSON (dict, list, str, int, float, bool, None; integers of any size are compared exactly).

        Returns what is wrong, at most 20 of them, or an empty list: never raises for a value, however deep. Messages
        are cut to a few hundred characters and may quote the value. What is said costs a bounded amount of time and
        memory, also where types hold themselves; where it would not, the place that was reached is named.
        """
        ...


class SchemaCompiler(Protocol):
    """Turns schemas into validators. Stateless: who needs a validator again keeps it."""

    def compile(self, schema_json: str) -> SchemaValidator:
        """Compile the text of a JSON Schema, read as Draft 2020-12.

        Nothing is ever fetched: a reference that leaves the schema is an error, whatever it points to. Patterns run
        in linear time: look-around and back-references are errors. `format` is an annotation and is not checked.
        Raises InvalidError (SCHEMA_INVALID) for what is not JSON, not a schema, of another draft, or over the limits.
        """
        ...
