"""Clients' connections end now and then, and nothing that runs on them: only then does gRPC look a name up again."""

import asyncio
from pathlib import Path

import grpc
import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.bootstrap import service
from shared.runtime.limits import FRESH_CONNECTIONS
from tests.support.gates import GATES
from tests.support.services import call, read, services, state_of


async def test_the_orchestrator_ends_connections_and_its_streams_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((age, minutes),) = FRESH_CONNECTIONS
    assert (age, minutes) == ("grpc.max_connection_age_ms", 300_000)
    monkeypatch.setattr(service, "FRESH_CONNECTIONS", [(age, 200)])
    async with services(tmp_path) as pair:
        held = await pair.submit(call("wait", "a", {"gate": "gate"}))
        watching = asyncio.create_task(read(pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id))))
        for _ in range(2):
            await pair.batches()
            await pair.channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        assert not watching.done()
        GATES.open("gate")
        seen = await watching
        assert seen.sequences == list(range(1, len(seen.sequences) + 1))
        assert state_of((await pair.batches())[0]) == "SUCCEEDED"
