"""Writes notes and reports: file names that are safe whatever they are made from, files that are whole or not there."""

import os
import re
import tempfile
from hashlib import sha256
from pathlib import Path

_UNSAFE = re.compile(r"[^a-z0-9]+")
_TENANT = re.compile(r"[a-z0-9._-]{1,64}")


def safe_name(text: str, unique: str) -> str:
    """Lower-case letters, digits and '-', at most 60 from the text; `unique` keeps equal names apart."""
    readable = _UNSAFE.sub("-", text.lower()).strip("-")[:60].strip("-") or "untitled"
    return f"{readable}-{sha256(unique.encode()).hexdigest()[:12]}.md"


def tenant_folder(out: Path, tenant: str, kind: str) -> Path:
    """The prefix makes a folder of its own of any tenant, of `..` too."""
    if not _TENANT.fullmatch(tenant):
        raise ValueError(f"tenant {tenant!r}")
    return out / kind / f"tenant-{tenant}"


def write_again(path: Path, text: str) -> None:
    """Replaces what may be there. Raises OSError."""
    os.replace(_write_beside(path, text), path)


def write_once(path: Path, text: str) -> None:
    """Raises FileExistsError where there is one already, and OSError; in both cases nothing was written."""
    temporary = _write_beside(path, text)
    try:
        os.link(temporary, path)
    finally:
        temporary.unlink()


def _write_beside(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)
