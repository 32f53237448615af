"""A Summary shows one moment, though a message of it takes its time."""

from dataclasses import replace

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.application.summaries import Summaries, Summary
from orchestrator_svc.application.watch import Ended, Until
from orchestrator_svc.domain.tool import RetryPolicy
from tests.support.engine_world import failed, spec, started
from tests.support.held_store import HeldStore
from tests.support.world import CALLER, SECOND, World


async def test_of_a_batch_that_moves_on_meanwhile_it_is_made_where_it_ends_or_when_time_is_over() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a", retry=RetryPolicy(1, SECOND, SECOND)))
        replica.end(replica.held[0], failed())
        await world.settle()
        head, made = (await world.batch(batch_id)).head, list[tuple[str, bool]]()
        summaries = Summaries(world.store, world.live, world.executors, world.engine.outlook)

        async def message(summary: Summary) -> int:
            """Meanwhile somebody has it tried again."""
            if not made:
                assert summary.looked_at
                await world.retry.retry(CALLER, [f"{batch_id}/a"], "", (), "again", None)
                await world.settle()
            made.append((summary.answers[0].view.proposal.state.name, summary.waited))
            return len(made)

        ended = Ended([batch_id], Until.FINISHED, over=False, at={batch_id: head})
        assert await summaries.make(message, "default", ended) is None
        assert len(made) == 1
        assert await summaries.make(message, "default", replace(ended, over=True)) == 2
        assert made[1] == ("RUNNING", True)
        replica.release()
        await world.settle()
        now = (await world.batch(batch_id)).head
        assert await summaries.make(message, "default", replace(ended, at={batch_id: now})) == 3
        assert made[2] == ("SUCCEEDED", False)


async def test_what_is_not_on_record_yet_is_not_in_it() -> None:
    """Another orchestrator may have the sequence that it would have, and this one hear of that."""
    held = HeldStore(MemoryStore(ProtobufEventCodec()))
    world = World(held.port)
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a", retry=RetryPolicy(1, SECOND, SECOND)))
        batch, head = world.live.get(batch_id), (await world.batch(batch_id)).head
        assert batch is not None
        assert batch.head == head
        held.hold()
        replica.end(replica.held[0], failed())
        await world.settle()
        ahead = batch.head
        assert ahead > head
        summaries = Summaries(world.store, world.live, world.executors, world.engine.outlook)
        summary = await summaries.of("default", [batch_id], at={batch_id: ahead})
        assert (summary.batches[0].head, summary.answers[0].view.proposal.state.name) == (head, "RUNNING")
        held.release()
        await world.settle()
        summary = await summaries.of("default", [batch_id], at={batch_id: ahead})
        assert (summary.batches[0].head, summary.answers[0].view.proposal.state.name) == (ahead, "FAILED")
