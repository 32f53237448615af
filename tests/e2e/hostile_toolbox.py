"""Tools whose every text would, shown as it stands, forge a line, colour or clear the terminal, or turn text around."""

from greenlight_tool import NONE, Permanent, Retry, ToolContext, Transient, tool

FORGED = "FORGED"
EVIL = (
    f"x\n{FORGED} lf\r{FORGED} cr\r\n{FORGED} crlf\v{FORGED}\f{FORGED}\x85{FORGED}\u2028{FORGED}\u2029{FORGED}"
    "\x1b[31mred\x1b[2J\x1b[3A\x1b]0;title\x07\x9b1mbold\x08\x00\x7f \u202egnp.exe \u2066y\u2069 \u200b\ufeff"
    "[red]markup[/red] :skull: end"
)
_TWICE = Retry(max_attempts=2, initial_delay=0.02, max_delay=0.05)


@tool(effect="READ", description=EVIL)
async def result(context: ToolContext, x: str = EVIL) -> dict[str, str]:
    context.progress(0.5, EVIL)
    context.chunk(EVIL)
    return {EVIL: EVIL}


@tool(effect="READ", description=EVIL)
async def error(x: str = "") -> str:
    raise Permanent(EVIL, effect=NONE)


@tool(effect="READ", description=EVIL, retry=_TWICE)
async def again(x: str = "") -> str:
    raise Transient(EVIL)


@tool(effect="IDEMPOTENT", description=EVIL)
async def soft(x: str) -> str:
    return x


@tool(effect="NON_IDEMPOTENT", description=EVIL)
async def hard(x: str) -> str:
    return x


@tool(effect="NON_IDEMPOTENT", tier="AUTO", description=EVIL)
async def unknown(x: str) -> str:
    raise Transient(EVIL)
