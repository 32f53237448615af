"""`python -m orchestrator_svc`: reads the command line over the settings, and serves."""

import argparse
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from orchestrator_svc.bootstrap import serve
from orchestrator_svc.settings import Settings
from shared.kernel.errors import GreenlightError
from shared.runtime.output import release_output
from shared.runtime.process import log_to_stderr, run
from shared.runtime.server import ListenError


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()]
        parser.error("; ".join(problems))
    log_to_stderr(settings.log_level)
    try:
        return run(serve(settings), uvloop=settings.uvloop)
    except (GreenlightError, ListenError) as error:
        print(f"orchestrator: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m orchestrator_svc",
        description="Takes batches of proposed tool calls, has them decided, runs them on executors, records and "
        "streams every step. Every setting can also be given as GREENLIGHT_<NAME>.",
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


if __name__ == "__main__":
    release_output()
    sys.exit(main())
