"""Calls as the engine makes them, with what a test does not care about filled in."""

import json

from orchestrator_svc.domain.digest import call_digest
from orchestrator_svc.domain.tool import Effect, ToolKey
from orchestrator_svc.ports.executor import Ask, Call, Cancel, Origin, Token

ECHO, WAIT, LIMITED, TALK, REFUSE = (ToolKey(name, "1") for name in ("echo", "wait", "limited", "talk", "refuse"))


def make_origin(batch_id: str = "batch-1", context: str = "{}", epoch: int = 1) -> Origin:
    return Origin(
        "default",
        "user:ann",
        "session-1",
        context,
        batch_id,
        {"team": "red"},
        "0af7651916cd43dd8448eb211c80319c",
        epoch,
        "i",
    )


ORIGIN = make_origin()


def make_call(
    call_id: str = "batch-1/a/1",
    tool: ToolKey = ECHO,
    arguments: str = "{}",
    *,
    origin: Origin = ORIGIN,
    timeout: int | None = None,
) -> Call:
    key = f"key of {call_id.rpartition('/')[0]}"
    digest = call_digest(tool, arguments)
    attempt = int(call_id.rpartition("/")[2])
    return Call(call_id, origin, tool, arguments, digest, key, attempt, "agent", timeout, b"12345678")


def make_ask(
    call_id: str, boot_id: str, effect: Effect = Effect.NON_IDEMPOTENT, position: int = 0, *, epoch: int = 1
) -> Ask:
    return Ask(call_id, boot_id, effect, position, Token(epoch, "i"))


def make_cancel(call_id: str, epoch: int = 1) -> Cancel:
    return Cancel(call_id, Token(epoch, "i"))


def make_calls(count: int, tool: ToolKey = ECHO, *, origin: Origin = ORIGIN, first: int = 0) -> list[Call]:
    return [make_call(f"{origin.batch_id}/k{number}/1", tool, origin=origin) for number in range(first, first + count)]


def make_waiting(call_id: str, gate: str = "a", tool: ToolKey = WAIT) -> Call:
    """For the tools of `tests.support.toolboxes.gates` that wait."""
    return make_call(call_id, tool, json.dumps({"gate": gate}, separators=(",", ":")))
