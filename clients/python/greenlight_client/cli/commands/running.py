"""run, submit, watch."""

import asyncio
from typing import Annotated

import typer
from rich.text import Text

from greenlight_client.calls import BatchOptions
from greenlight_client.cli import ids, inputs, options, parameters
from greenlight_client.cli.command import command
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.formats import count_text
from greenlight_client.cli.inputs import UsageError
from greenlight_client.cli.results import show_summary
from greenlight_client.cli.sanitise import clean
from greenlight_client.cli.terminal import Terminal
from greenlight_client.cli.watching import Watcher
from greenlight_client.streams import EventStream
from greenlight_client.wire import OnInvalidName

NameOption = Annotated[str, typer.Option(metavar="TEXT", help="A name for people.")]
InFlightOption = Annotated[
    int,
    typer.Option(
        min=0, max=2**31 - 1, metavar="N", help="Calls of this batch that run at once; 1 = one by one, 0 = no limit."
    ),
]
DeadlineOption = Annotated[str | None, typer.Option(metavar="DURATION", help="Cancel what has not ended by then.")]
OnInvalidOption = Annotated[
    OnInvalidName, typer.Option(help="What to do with a call that is wrong by itself: refuse all, or fail that call.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    panel = "Run"
    command(app, panel=panel)(run)
    command(app, panel=panel)(submit)
    command(app, panel=panel)(watch)


async def run(
    terminal: Terminal,
    source: options.SourceArgument,
    param: options.ParamOption = None,
    session: options.SessionOption = "",
    name: NameOption = "",
    label: options.LabelOption = None,
    max_in_flight: InFlightOption = 0,
    deadline: DeadlineOption = None,
    on_invalid: OnInvalidOption = "refuse",
    until: options.UntilOption = "finished",
    wait: options.WaitOption = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Submit, print the batch id, don't watch.")] = False,
) -> ExitCode:
    """Submit a batch and watch it to its end. Ctrl-C detaches; the batch goes on."""
    if detach and wait is not None:
        raise UsageError("--detach does not watch: --wait goes without it")
    if detach:
        return await submit(
            terminal, source, param, session, name, label, max_in_flight, deadline, on_invalid, validate_only=False
        )
    what = inputs.source(source, inputs.parameters(param or []))
    how = _batch_options(session, name, label, max_in_flight, deadline, on_invalid)
    async with terminal.client() as client:
        watcher = Watcher(terminal, client, told_at_end=until == "blocked")
        stream = client.run(
            what, until=until, max_wait=options.duration(wait), on_interruption=watcher.interrupted, **how
        )
        with parameters.judged(param):
            return await follow(terminal, watcher, stream)


async def submit(
    terminal: Terminal,
    source: options.SourceArgument,
    param: options.ParamOption = None,
    session: options.SessionOption = "",
    name: NameOption = "",
    label: options.LabelOption = None,
    max_in_flight: InFlightOption = 0,
    deadline: DeadlineOption = None,
    on_invalid: OnInvalidOption = "refuse",
    validate_only: Annotated[bool, typer.Option(help="Judge it, and write nothing.")] = False,
) -> ExitCode:
    """Submit a batch and print its id."""
    what = inputs.source(source, inputs.parameters(param or []))
    how = _batch_options(session, name, label, max_in_flight, deadline, on_invalid)
    async with terminal.client() as client:
        with parameters.judged(param):
            answer = await client.submit(what, validate_only=validate_only, **how)
    terminal.json("submitted", answer)
    if validate_only:
        terminal.result(f"valid: {count_text(answer.batch.counts.total, 'proposal')}")
        return ExitCode.SUCCEEDED
    terminal.result(answer.batch.batch_id)
    terminal.say(f"watch it: {terminal.again('watch', answer.batch.batch_id)}")
    return ExitCode.SUCCEEDED


async def watch(
    terminal: Terminal,
    batch: Annotated[
        str | None, typer.Argument(metavar="BATCH", help="A batch id, a unique beginning of one, or `last`.")
    ] = None,
    session: Annotated[str | None, typer.Option(metavar="ID", help="All batches of this session instead.")] = None,
    after: Annotated[int, typer.Option(min=0, metavar="SEQUENCE", help="Only events after this one.")] = 0,
    until: options.UntilOption = "finished",
    wait: options.WaitOption = None,
) -> ExitCode:
    """Watch a batch (or all of a session) from its first event to its end. Ctrl-C detaches."""
    if (batch is None) == (session is None):
        raise UsageError("watch wants a BATCH, or --session ID")
    limit = options.duration(wait)
    async with terminal.client() as client:
        watcher = Watcher(terminal, client, told_at_end=until == "blocked")
        if session is not None:
            stream = client.watch_session(
                session,
                until=until,
                max_wait=limit,
                on_interruption=watcher.interrupted,
                on_compacted=watcher.compacted,
            )
        else:
            batch_id = await ids.batch_id(client, batch or "")
            stream = client.watch(
                batch_id,
                resume_after=after,
                until=until,
                max_wait=limit,
                on_interruption=watcher.interrupted,
                on_compacted=watcher.compacted,
            )
        return await follow(terminal, watcher, stream, session)


async def follow(terminal: Terminal, watcher: Watcher, stream: EventStream, session: str | None = None) -> ExitCode:
    """Watches to the end and shows what everything came to; cancelled by Ctrl-C, it says how to go on."""
    try:
        summary = await watcher.follow(stream)
    except asyncio.CancelledError:
        if session is not None:
            where = terminal.again("watch", "--session", session)
            terminal.say(Text(f"detached; the session goes on. Watch it again: {clean(where)}"))
        elif stream.batch_id:
            where = terminal.again("watch", stream.batch_id)
            terminal.say(Text(f"detached; the batch goes on. Watch it again: {clean(where)}"))
        raise
    if session is not None:
        terminal.json_object("position", {"session_token": stream.session_token})
    return show_summary(terminal, summary)


def _batch_options(
    session: str,
    name: str,
    label: list[str] | None,
    max_in_flight: int,
    deadline: str | None,
    on_invalid: OnInvalidName,
) -> BatchOptions:
    """What was said; what was not stays as a file says it."""
    given = BatchOptions()
    if session:
        given["session"] = session
    if name:
        given["name"] = name
    if label:
        given["labels"] = inputs.labels(label)
    if max_in_flight:
        given["max_in_flight"] = max_in_flight
    if (seconds := options.duration(deadline)) is not None:
        given["deadline"] = seconds
    if on_invalid != "refuse":
        given["on_invalid"] = on_invalid
    return given
