"""What wake-ups of others lead to."""

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.ports.wakeups import Wake, WakeKind
from tests.support.replicas import replicas


async def test_each_goes_to_who_has_a_look() -> None:
    async with replicas(MemoryStore(ProtobufEventCodec())) as (one, two):
        kinds = (WakeKind.COMMAND, WakeKind.ANSWER, WakeKind.RELEASED)
        one.waking.wake([Wake(kind, to="x") for kind in kinds for _ in range(3)])
        assert one.looked == ["commands", "answers", "released"]
        two.waking.wake([Wake(WakeKind.MOVED, "t", "s", "b", head=3)])
        assert two.looked == []


async def test_where_some_were_missed_everybody_looks() -> None:
    async with replicas(MemoryStore(ProtobufEventCodec())) as (one, _):
        with one.feed.watch_batch("t", "b") as watcher, one.feed.watch_session("t", "s") as session:
            one.waking.wake([Wake(WakeKind.MISSED), Wake(WakeKind.MISSED)])
            assert one.looked == ["commands", "answers", "released"]
            assert await watcher.wait(0)
            assert await session.wait(0)
