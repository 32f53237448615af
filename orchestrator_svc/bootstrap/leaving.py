"""The way out: what runs may end, what is owned is handed over; and nobody waits for a store that answers nothing."""

import asyncio
import logging
from collections.abc import Awaitable

from orchestrator_svc.api.servicer import OrchestratorApi
from orchestrator_svc.bootstrap.parts import Parts
from shared.runtime.server import GrpcServer

_HAND_OVER, _LAST_TRY = 5.0, 1.0
"""Seconds after the grace that the store has for what is left, and for the last of it at least."""
_FAILING = 0.5
"""Seconds in which what waits for a store that was given up fails by itself."""
_STREAM_END_GRACE = 1.0
_LEASE = "others take over once the lease has run out"

_log = logging.getLogger(__name__)


async def leave(server: GrpcServer, api: OrchestratorApi, parts: Parts, failed: asyncio.Event) -> None:
    """Not serving any more; what runs has the grace to end and be recorded. An engine that died has none."""
    engine, owner, now = parts.engine, parts.owner, asyncio.get_running_loop().time
    await server.not_serving()
    engine.drain()
    if failed.is_set():
        engine.stop()
        await _last(owner.end(), parts, _HAND_OVER, _LEASE)
        return await server.stop(0)
    grace_over = now() + parts.settings.drain_grace
    try:
        async with asyncio.timeout_at(grace_over):
            await owner.leave()
    except TimeoutError:
        _log.warning("what still runs is left to the executors")
    begun = min(now(), grace_over)
    await engine.recorder.drain()
    if engine.recorder.stalled:
        _log.error("the store takes nothing: what it has not taken is lost; nobody was told that it is recorded")
    await _last(owner.end(), parts, max(_LAST_TRY, begun + _HAND_OVER - now()), _LEASE)
    await server.stop(_STREAM_END_GRACE)
    await _last(api.drain(), parts, _HAND_OVER, "requests are left without an answer")
    engine.stop()  # before its executors are left


async def _last(work: Awaitable[None], parts: Parts, seconds: float, otherwise: str) -> None:
    """What is to be done before this start is over, as far as the store answers."""
    giving_up = asyncio.get_running_loop().call_later(seconds, parts.store.give_up)
    try:
        async with asyncio.timeout(seconds + _FAILING):
            await work
    except TimeoutError:
        _log.warning("%s: the store does not answer", otherwise)
    finally:
        giving_up.cancel()
