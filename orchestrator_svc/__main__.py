"""`python -m orchestrator_svc`: reads the command line over the settings, and serves, or makes a backup."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from orchestrator_svc.adapters.store.backing_up import back_up
from orchestrator_svc.adapters.store.opening import DATABASE
from orchestrator_svc.bootstrap.service import serve
from orchestrator_svc.settings import Settings
from shared.kernel.errors import GreenlightError, InvalidError
from shared.runtime.output import release_output
from shared.runtime.process import log_to_stderr, run, say
from shared.runtime.server import ListenError

_BACKUP = "backup"
_EXIT_GRACE = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    backs_up = words[:1] == [_BACKUP]
    parser = _backup_parser() if backs_up else _parser()
    given = {name: value for name, value in vars(parser.parse_args(words[backs_up:])).items() if value is not None}
    target = given.pop("file", None)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()]
        parser.error("; ".join(problems))
    log_to_stderr(settings.log_level)
    try:
        if target is not None:
            return _back_up(settings, target)
        return run(serve(settings), uvloop=settings.uvloop, exit_grace=_EXIT_GRACE)
    except (GreenlightError, ListenError) as error:
        print(f"orchestrator: {error}", file=sys.stderr)
        return 1


def _back_up(settings: Settings, target: Path) -> int:
    if settings.store.get_secret_value():
        raise InvalidError("STORE_INVALID", "backup copies a SQLite database; of GREENLIGHT_STORE pg_dump makes one")
    found = back_up(settings.data / DATABASE, target)
    say("backup", file=str(target), bytes=found.size, schema=found.schema, batches=found.batches)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m orchestrator_svc",
        description="Takes batches of proposed tool calls, has them decided, runs them on executors, records and "
        "streams every step. Every setting can also be given as GREENLIGHT_<NAME>.",
        epilog="`python -m orchestrator_svc backup FILE` copies the database, also of an orchestrator that runs.",
    )
    about = {name: field.description for name, field in Settings.model_fields.items()}
    parser.add_argument("--listen", metavar="HOST:PORT", help=about["listen"])
    parser.add_argument("--executors", metavar="HOST:PORT[,...]", help=about["executors"])
    parser.add_argument("--data", metavar="DIR", help=about["data"])
    parser.add_argument("--standby", action="store_true", default=None, help=about["standby"])
    parser.add_argument("--templates", metavar="DIR", action="append", help=about["templates"])
    parser.add_argument("--drain-grace", type=float, metavar="SECONDS", help=about["drain_grace"])
    parser.add_argument("--parent-pipe", type=int, metavar="FD", help=about["parent_pipe"])
    parser.add_argument("--log-level", metavar="LEVEL", help=about["log_level"])
    parser.add_argument("--uvloop", action="store_true", default=None, help=about["uvloop"])
    return parser


def _backup_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m orchestrator_svc {_BACKUP}",
        description="Copies the SQLite database into FILE, also while an orchestrator uses it, and checks the copy. "
        "FILE is not overwritten.",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--data", metavar="DIR", help=Settings.model_fields["data"].description)
    return parser


if __name__ == "__main__":
    release_output()
    sys.exit(main())
