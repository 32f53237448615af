"""Old events go: the command removes them, and the library and the other commands go on without them."""

import re
from pathlib import Path

import pytest

from greenlight_client import EventsCompactedError, GreenlightClient, call
from greenlight_client.cli.exit_codes import ExitCode
from tests.e2e.pair import Pair

_ADD = {"key": "sum", "tool": "add", "arguments": {"a": 1, "b": 2}}


def test_prune_then_watch_show_and_trace(shared: Pair) -> None:
    tenant = ("--tenant", "pruned")
    done = shared.run([_ADD], "--session", "old", *tenant)
    assert done.code == 0, done.err
    young = shared.greenlight("prune", "--older-than", "1h", *tenant)
    assert young.out == "gone: 0 events of 0 batches\n"
    counted = shared.greenlight("prune", "--older-than", "0", "--dry-run", "--json", *tenant).of("pruned")
    assert [(body["batches"], int(body["events"]) > 3) for body in counted] == [("1", True)]
    assert "this is what is left" not in shared.greenlight("watch", "last", *tenant).err
    gone = shared.greenlight("prune", "--older-than", "0", *tenant)
    assert gone.out == f"gone: {counted[0]['events']} events of 1 batch\n"

    watched = shared.greenlight("watch", "last", *tenant)
    assert watched.code == 0
    assert "this is what is left" in watched.err
    assert "sum" in watched.out
    in_session = shared.greenlight("watch", "--session", "old", "--json", *tenant)
    assert in_session.code == 0
    assert [body["oldest_sequence"] for body in in_session.of("compacted")] == [str(int(counted[0]["events"]) + 1)]
    assert "sum" in shared.greenlight("show", "last", *tenant).out
    traced = shared.greenlight("trace", "last", *tenant)
    assert traced.code == ExitCode.REFUSED
    assert "EVENTS_COMPACTED" in traced.err
    assert "greenlight show" in traced.err


def test_trace_draws_what_is_left(shared: Pair, tmp_path: Path) -> None:
    tenant, gate = ("--tenant", "pruned-and-retried"), tmp_path / "mended"
    fails = {"key": "fix", "tool": "broken", "arguments": {"unless": str(gate)}}
    assert shared.run([fails], *tenant).code == ExitCode.FAILED
    assert shared.greenlight("prune", "--older-than", "0", *tenant).code == 0
    gate.touch()
    assert shared.greenlight("retry", "last/fix", *tenant).code == 0
    assert shared.greenlight("watch", "last", *tenant).code == 0
    traced = shared.greenlight("trace", "last", *tenant)
    assert traced.code == 0, traced.err
    assert "this is what is left of them" in traced.err
    assert "succeeded" in traced.out.splitlines()[0]
    assert re.search(r"^fix .*█", traced.out, re.MULTILINE)
    spans = shared.greenlight("trace", "last", "--json", *tenant).of("span")
    assert [span["phase"] for span in spans][-1] == "run"


async def test_the_library_raises_or_passes_over(shared: Pair) -> None:
    async with GreenlightClient(shared.ready["orchestrator"], tenant="pruned-by-library") as client:
        summary = await client.run([call("add", {"a": 1, "b": 2}, key="sum")], session="old").finish()
        batch = summary.batch
        assert (await client.prune(0)).events == batch.sequence
        with pytest.raises(EventsCompactedError) as caught:
            await client.watch(batch.batch_id).finish()
        assert (caught.value.batch_id, caught.value.oldest_sequence) == (batch.batch_id, batch.sequence + 1)
        told: list[EventsCompactedError] = []
        assert (await client.watch(batch.batch_id, on_compacted=told.append).finish()).answers == summary.answers
        session = client.watch_session("old", until="finished", on_compacted=told.append)
        assert [found.batch_id for found in (await session.finish()).batches] == [batch.batch_id]
        assert [error.batch_id for error in told] == [batch.batch_id] * 2
        with pytest.raises(EventsCompactedError):
            await client.watch_session("old", until="finished").finish()
