"""The digest that ties what was decided to what runs, and the idempotency key. SHA-256 over exact bytes."""

from hashlib import sha256

from orchestrator_svc.domain.tool import ToolKey


def call_digest(tool: ToolKey, arguments: str) -> str:
    """Of canonical arguments: `sha256:` + 64 lower-case hex digits."""
    text = f"greenlight.call.v1\n{tool.name}\n{tool.version}\n{arguments}"
    return "sha256:" + sha256(text.encode()).hexdigest()


def idempotency_key(tenant: str, proposal_id: str, bound_digest: str) -> str:
    """64 hex digits; the same for every attempt, another for other arguments."""
    return sha256(f"{tenant}\n{proposal_id}\n{bound_digest}".encode()).hexdigest()
