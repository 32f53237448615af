"""`python -m executor_svc`: reads the command line over the settings, and serves."""

import argparse
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from executor_svc.adapters.toolboxes.python_module import ToolboxError
from executor_svc.bootstrap import serve
from executor_svc.settings import Settings
from shared.kernel.errors import GreenlightError
from shared.runtime.output import release_output
from shared.runtime.process import log_to_stderr, run
from shared.runtime.server import ListenError

_EXIT_GRACE = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()]
        parser.error("; ".join(problems))
    if not settings.toolbox:
        parser.error("no tools: give a toolbox (--toolbox MODULE or FILE.py)")
    log_to_stderr(settings.log_level)
    try:
        return run(serve(settings), uvloop=settings.uvloop, exit_grace=_EXIT_GRACE)
    except (ToolboxError, ListenError, GreenlightError) as error:
        print(f"executor: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m executor_svc",
        description="Hosts tools and runs calls. Every setting can also be given as GREENLIGHT_EXECUTOR_<NAME>.",
    )
    about = {name: field.description for name, field in Settings.model_fields.items()}
    parser.add_argument("--listen", metavar="HOST:PORT", help=about["listen"])
    parser.add_argument("--toolbox", metavar="MODULE|FILE.py", action="append", help=about["toolbox"])
    parser.add_argument("--data", metavar="DIR", help=about["data"])
    parser.add_argument("--reload", action="store_true", default=None, help=about["reload"])
    parser.add_argument("--slots", type=int, metavar="N", help=about["slots"])
    parser.add_argument("--threads", type=int, metavar="N", help=about["threads"])
    parser.add_argument("--unsafe-call-tool", action="store_true", default=None, help=about["unsafe_call_tool"])
    parser.add_argument("--drain-grace", type=float, metavar="SECONDS", help=about["drain_grace"])
    parser.add_argument("--parent-pipe", type=int, metavar="FD", help=about["parent_pipe"])
    parser.add_argument("--log-level", metavar="LEVEL", help=about["log_level"])
    parser.add_argument("--uvloop", action="store_true", default=None, help=about["uvloop"])
    return parser


if __name__ == "__main__":
    release_output()
    sys.exit(main())
