"""A stream to a scripted executor, up and with its tools confirmed."""

from orchestrator_svc.ports.executor import Target
from tests.support.scripted_executor import Conversation, ScriptedExecutor
from tests.support.watching import Watcher


async def connect(
    scripted: ScriptedExecutor, watcher: Watcher, slots: int = 8, boot_id: str = "boot-1"
) -> tuple[Conversation, Target]:
    conversation = await scripted.next()
    await conversation.greet(slots=slots, boot_id=boot_id)
    return conversation, await watcher.connected()
