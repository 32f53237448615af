"""The lists, in a terminal that is not wide."""

from rich.console import Console, RenderableType

from greenlight.orchestrator.v1 import batch_pb2, orchestrator_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_client.cli.commands.looking import batches_table, executors_table, tool_in_full
from tests.unit.client.recorded import at

_SESSION = "0195a000-1111-7000-8000-00000000abcd"


def _lines(shown: RenderableType, width: int) -> list[str]:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(shown)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert all(len(line) <= width for line in lines)
    return lines


def _batch(number: int, name: str = "") -> batch_pb2.Batch:
    batch = batch_pb2.Batch(
        batch_id=f"0195a000-{number:04d}-7000-8000-000000000001",
        name=name,
        session_id=_SESSION,
        state=batch_pb2.BATCH_STATE_CANCELLING,
        counts=batch_pb2.Counts(total=14, succeeded=12),
    )
    batch.create_time.FromDatetime(at(0))
    batch.finish_time.FromDatetime(at(75))
    return batch


def test_batches_are_told_apart_in_eighty_columns() -> None:
    lines = _lines(batches_table([_batch(1, "research of a company"), _batch(2)]), 80)
    for number, line in enumerate(lines[1:], 1):
        assert line.startswith(f"0195a000-{number:04d}")
        for word in ("cancelling", "12/14", "2026-03-01 12:00:00", "1 m 15 s"):
            assert word in line
    assert "UTC" not in lines[1]


def test_where_there_is_room_the_session_is_whole() -> None:
    assert _SESSION in _lines(batches_table([_batch(1)]), 120)[1]


def test_executors_are_told_apart_in_eighty_columns() -> None:
    found = [
        orchestrator_pb2.Executor(
            executor_id=f"0195a000-{number:04d}-7000-8000-000000000001",
            address="ipv4:192.168.100.100:50052",
            connected=True,
            draining=True,
            capacity=1000,
            tools=["a@1"],
        )
        for number in (1, 2)
    ]
    lines = _lines(executors_table(found), 80)
    for number, line in enumerate(lines[1:], 1):
        assert line.startswith(f"0195a000-{number:04d}")
        assert "draining" in line
        assert "1000" in line


def test_a_tool_in_full_says_all_that_is_declared() -> None:
    descriptor = tool_pb2.ToolDescriptor(
        name="pay",
        version="1",
        concurrency=2,
        result_limit_bytes=4096,
        probes=True,
        cost=tool_pb2.Cost(amount=0.01, unit="USD"),
        retry_policy=tool_pb2.RetryPolicy(max_attempts=5),
    )
    for seconds, duration in (
        (2, descriptor.timeout),
        (3, descriptor.stall_timeout),
        (60, descriptor.ttl),
        (9, descriptor.retry_policy.max_delay),
    ):
        duration.FromSeconds(seconds)
    facts, *_ = tool_in_full(orchestrator_pb2.Tool(descriptor=descriptor))
    lines = [" ".join(line.split()) for line in _lines(facts, 80)]
    for line in (
        "timeout 2.00 s",
        "stall timeout 3.00 s",
        "result stays fresh for 1 m 00 s",
        "attempts up to 5",
        "any delay at most 9.00 s",
        "probe looks for the effect of a call whose outcome is unknown",
        "concurrency 2 an executor",
        "largest result 4 KiB",
        "cost 0.01 USD",
    ):
        assert line in lines
