"""Arguments and options that several commands take."""

import re
from typing import Annotated

import typer

from greenlight_client.cli.inputs import UsageError
from greenlight_client.wire import UntilName

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

BatchArgument = Annotated[
    str, typer.Argument(metavar="BATCH", help="A batch id, a unique beginning of one, or `last`.")
]
ProposalArgument = Annotated[
    str, typer.Argument(metavar="BATCH/KEY", help="A proposal; both parts by a unique beginning.")
]
ProposalsArgument = Annotated[
    list[str], typer.Argument(metavar="BATCH/KEY...", help="Proposals; both parts by a unique beginning.")
]
ThingArgument = Annotated[
    str, typer.Argument(metavar="BATCH[/KEY]", help="A batch (or `last`), or one proposal of it, by unique beginnings.")
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="TEMPLATE|FILE",
        help="A template's NAME or NAME@VERSION, a template file (.yaml), a file of proposals (.json), or - for stdin.",
    ),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="A template's parameter: JSON, else text. Repeatable."),
]
SessionOption = Annotated[str, typer.Option(metavar="ID", help="The session; one that does not exist is made.")]
LabelOption = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label. Repeatable.")]
UntilOption = Annotated[
    UntilName, typer.Option(help="`blocked` ends also when nothing moves without a person.", show_default=True)
]
TurnUntilOption = Annotated[
    UntilName, typer.Option(help="`finished` waits also for decisions on the rest of the batches.", show_default=True)
]
WaitOption = Annotated[
    str | None, typer.Option(metavar="DURATION", help="Watch at most so long: 30s, 5m, 1h. The batch goes on.")
]
ReasonOption = Annotated[str, typer.Option("--reason", "-m", metavar="TEXT", help="Why; kept on record.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")]


def duration(text: str | None) -> float | None:
    """`500ms`, `30`, `30s`, `5m`, `1h`, `2d` in seconds."""
    if text is None:
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no duration; for example 30s, 5m, 1h")
    return float(match[1]) * _UNITS[match[2] or "s"]
