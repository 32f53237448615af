"""The digest that binds a decision to what runs: over tool, version and the bytes of the arguments as received."""

import hashlib

_PREFIX = "sha256:"


class Digester:
    """Digests of one tool's calls; what they share is hashed once."""

    def __init__(self, tool: str, version: str) -> None:
        self._head = hashlib.sha256(f"greenlight.call.v1\n{tool}\n{version}\n".encode())

    def __call__(self, arguments: str) -> str:
        """`sha256:` + 64 lower-case hex digits."""
        digest = self._head.copy()
        digest.update(arguments.encode())
        return _PREFIX + digest.hexdigest()
