"""Who is calling, and within which boundary: the two metadata values that every request may carry."""

import re
from dataclasses import dataclass

from shared.kernel.errors import FieldViolation, InvalidError

TENANT_METADATA_KEY = "greenlight-tenant"
PRINCIPAL_METADATA_KEY = "greenlight-principal"

TENANT_NAME = re.compile(r"[a-z0-9._-]{1,64}")
_PRINCIPAL = re.compile(r"([a-z][a-z0-9_-]*):([\x21-\x7e]+)")
_PRINCIPAL_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Tenant:
    """The isolation boundary: every look-up takes it first."""

    name: str

    @classmethod
    def parse(cls, value: str | bytes | None) -> "Tenant":
        """From the metadata value; absent is `default`. Raises InvalidError (METADATA_INVALID)."""
        if value is None:
            return DEFAULT_TENANT
        text = _ascii(value)
        if text is None or not TENANT_NAME.fullmatch(text):
            raise _invalid(TENANT_METADATA_KEY, "must be 1-64 characters of a-z, 0-9, '.', '_', '-'")
        return cls(text)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: a service, a user, an operator."""

    kind: str
    name: str

    @classmethod
    def parse(cls, value: str | bytes | None) -> "Principal":
        """From `kind:name`; absent is `user:anonymous`. Raises InvalidError (METADATA_INVALID)."""
        if value is None:
            return ANONYMOUS
        text = _ascii(value)
        match = _PRINCIPAL.fullmatch(text) if text is not None and len(text) <= _PRINCIPAL_LENGTH else None
        if match is None:
            wanted = f"must be kind:name, visible ASCII, at most {_PRINCIPAL_LENGTH} characters, for example user:ann"
            raise _invalid(PRINCIPAL_METADATA_KEY, wanted)
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


DEFAULT_TENANT = Tenant("default")
ANONYMOUS = Principal("user", "anonymous")


def _ascii(value: str | bytes) -> str | None:
    try:
        return value.decode("ascii") if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return None


def _invalid(field: str, description: str) -> InvalidError:
    return InvalidError("METADATA_INVALID", f"{field} {description}", violations=[FieldViolation(field, description)])
