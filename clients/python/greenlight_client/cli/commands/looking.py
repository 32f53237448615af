"""batches, tools, executors, status."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import grpc
import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from greenlight.orchestrator.v1 import batch_pb2, orchestrator_pb2
from greenlight_client.cli import inputs, options
from greenlight_client.cli.clock import now
from greenlight_client.cli.command import command, show_refusal
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.formats import bare_moment_text, duration_text, moment, short_id, wait_text
from greenlight_client.cli.quoted import Folded, Quoted
from greenlight_client.cli.results import STYLES
from greenlight_client.cli.sanitise import clean, indented_json
from greenlight_client.cli.tables import listing, shrinkable
from greenlight_client.cli.terminal import Terminal
from greenlight_client.wire import batch_state_name, effect_name, tier_name


class StateName(StrEnum):
    """States of a batch, as the option takes them."""

    RUNNING = "running"
    BLOCKED = "blocked"
    IDLE = "idle"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


_STATES: Mapping[str, batch_pb2.BatchState.ValueType] = {
    batch_state_name(number): number for number in batch_pb2.BatchState.values()
}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for function in (batches, tools, executors, status):
        command(app, panel="Look")(function)


async def batches(
    terminal: Terminal,
    session: Annotated[str, typer.Option(metavar="ID", help="Only of this session.")] = "",
    state: Annotated[list[StateName] | None, typer.Option(help="Only in this state. Repeatable.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only with this label.")] = None,
    limit: options.LimitOption = 20,
) -> ExitCode:
    """List batches, newest first."""
    states = [_STATES[name] for name in state or ()]
    found: list[batch_pb2.Batch] = []
    async with terminal.client() as client:
        async for batch in client.list_batches(
            session_id=session, states=states, labels=inputs.labels(label or []), page_size=min(limit, 1000)
        ):
            found.append(batch)
            terminal.json("batch", batch)
            if len(found) == limit:
                break
    if found:
        terminal.result(batches_table(found))
    else:
        terminal.say("there is no batch")
    return ExitCode.SUCCEEDED


async def tools(
    terminal: Terminal,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Only this tool, in full.")] = "",
) -> ExitCode:
    """List the tools that submissions are judged by."""
    table = listing("tool", "version", "effect", "tier", "executors")
    table.expand = True
    table.add_column("description", no_wrap=True, overflow="ellipsis", ratio=1)
    found = 0
    async with terminal.client() as client:
        async for tool in client.list_tools(name):
            found += 1
            terminal.json("tool", tool)
            descriptor = tool.descriptor
            table.add_row(
                Text(clean(descriptor.name), style="bold"),
                Text(clean(descriptor.version)),
                effect_name(descriptor.effect).replace("_", " "),
                tier_name(descriptor.tier),
                Text(str(tool.executors), style="" if tool.executors else "red"),
                Text(clean(descriptor.description)),
            )
            if name:
                terminal.result(*tool_in_full(tool))
    if found and not name:
        terminal.result(table)
    if not found and name:
        show_refusal(terminal, grpc.StatusCode.NOT_FOUND, f"there is no tool {name}")
        return ExitCode.REFUSED
    if not found:
        terminal.say("no executor has been seen yet")
    return ExitCode.SUCCEEDED


async def executors(terminal: Terminal) -> ExitCode:
    """List the executors that are connected, or were since the orchestrator's start."""
    found: list[orchestrator_pb2.Executor] = []
    async with terminal.client() as client:
        async for executor in client.list_executors():
            found.append(executor)
            terminal.json("executor", executor)
            for name in executor.conflicting_tools:
                terminal.say(
                    Text(f"{clean(name)} of {clean(executor.address)} differs from the one on record: not used")
                )
    if found:
        terminal.result(executors_table(found))
    else:
        terminal.say("no executor has been seen yet")
    return ExitCode.SUCCEEDED


async def status(terminal: Terminal) -> ExitCode:
    """Say how the orchestrator is: version, executors, what it has in memory, and whether identity is off."""
    async with terminal.client() as client:
        info = await client.server_info()
    terminal.json("status", info)
    up = moment(info.start_time)
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_row("orchestrator", Text(f"{terminal.settings.server}, version {clean(info.version)}"))
    if up is not None:
        facts.add_row("up for", duration_text((now() - up).total_seconds()))
    connected = info.executors_connected
    facts.add_row("executors", Text(f"{connected} connected", style="" if connected else "bold red"))
    facts.add_row("live batches", str(info.live_batches))
    for problem in info.problems:
        facts.add_row("problem", Text(clean(problem), style="bold red"))
    if info.self_approval:
        facts.add_row("self-approval", Text("on: a proposer may approve its own HARD proposals", style="yellow"))
    limits = info.limits
    facts.add_row(
        "limits",
        f"{limits.max_proposals_per_batch} proposals a batch, arguments {_size(limits.max_arguments_bytes)}, "
        f"result {_size(limits.max_result_bytes)}, request {_size(limits.max_request_bytes)}",
    )
    terminal.result(facts)
    return ExitCode.SUCCEEDED


def batches_table(found: Sequence[batch_pb2.Batch]) -> Table:
    """A line a batch."""
    heads = ("batch", "name", "state", "done", "created (UTC)", "took", "session")
    table = listing(*heads, shrinking=("name", "session"))
    for batch in found:
        table.add_row(*_batch_cells(batch))
    return table


def executors_table(found: Sequence[orchestrator_pb2.Executor]) -> Table:
    """A line an executor."""
    heads = ("executor", "address", "state", "in flight", "capacity", "tools", "stuck", "last seen")
    table = listing(*heads, shrinking=("address",))
    for executor in found:
        table.add_row(*_executor_cells(executor))
    return table


def _batch_cells(batch: batch_pb2.Batch) -> tuple[Text, ...]:
    state = batch_state_name(batch.state)
    counts = batch.counts
    ended = counts.succeeded + counts.failed + counts.rejected + counts.expired + counts.skipped + counts.cancelled
    start, end = moment(batch.create_time), moment(batch.finish_time)
    took = duration_text(((end or now()) - start).total_seconds()) if start is not None else "-"
    return (
        Text(short_id(batch.batch_id), style="bold"),
        shrinkable(clean(batch.name, 40)),
        Text(state, style=STYLES.get(state, "")),
        Text(f"{ended}/{counts.total}"),
        Text(bare_moment_text(batch.create_time)),
        Text(took, style="" if end is not None else "dim"),
        shrinkable(clean(batch.session_id, 40), "dim"),
    )


def _executor_cells(executor: orchestrator_pb2.Executor) -> tuple[Text, ...]:
    seen = moment(executor.last_seen_time)
    state = "draining" if executor.draining else "connected" if executor.connected else "gone"
    return (
        Text(short_id(clean(executor.executor_id)), style="bold"),
        shrinkable(clean(executor.address).removeprefix("ipv4:").removeprefix("ipv6:")),
        Text(state, style="green" if state == "connected" else "yellow" if state == "draining" else "red"),
        Text(str(executor.in_flight)),
        Text(str(executor.capacity)),
        Text(str(len(executor.tools))),
        Text(str(executor.stuck_threads), style="bold red" if executor.stuck_threads else ""),
        Text("-" if seen is None else f"{wait_text((now() - seen).total_seconds())} ago"),
    )


def tool_in_full(tool: orchestrator_pb2.Tool) -> list[RenderableType]:
    """All that is declared of it."""
    descriptor = tool.descriptor
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_row("tool", Text(f"{clean(descriptor.name)} {clean(descriptor.version)}", style="bold"))
    facts.add_row("effect, tier", f"{effect_name(descriptor.effect).replace('_', ' ')}, {tier_name(descriptor.tier)}")
    facts.add_row("executors", str(tool.executors))
    retry = descriptor.retry_policy
    for label, declared, duration in (
        ("timeout", descriptor.HasField("timeout"), descriptor.timeout),
        ("stall timeout", descriptor.HasField("stall_timeout"), descriptor.stall_timeout),
        ("result stays fresh for", descriptor.HasField("ttl"), descriptor.ttl),
        ("first delay at most", retry.HasField("initial_delay"), retry.initial_delay),
        ("any delay at most", retry.HasField("max_delay"), retry.max_delay),
    ):
        if declared:
            facts.add_row(label, duration_text(duration.ToTimedelta().total_seconds()))
    if retry.max_attempts:
        facts.add_row("attempts", f"up to {retry.max_attempts}")
    if descriptor.probes:
        facts.add_row("probe", "looks for the effect of a call whose outcome is unknown")
    if descriptor.concurrency:
        facts.add_row("concurrency", f"{descriptor.concurrency} an executor")
    if descriptor.result_limit_bytes:
        facts.add_row("largest result", _size(descriptor.result_limit_bytes))
    if descriptor.HasField("cost"):
        facts.add_row("cost", Text(f"{descriptor.cost.amount:g} {clean(descriptor.cost.unit)}"))
    facts.add_row("description", Quoted(descriptor.description))
    parts: list[RenderableType] = [facts]
    for name, schema in (("arguments", descriptor.arguments_schema_json), ("result", descriptor.result_schema_json)):
        if schema:
            parts += [Text(name, style="dim"), Folded(indented_json(schema))]
    return parts


def _size(count: int) -> str:
    return f"{count / 1_048_576:g} MiB" if count >= 1_048_576 else f"{count / 1024:g} KiB"
