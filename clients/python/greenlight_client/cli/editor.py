"""A person's own editor, for a text that is to be changed."""

import asyncio
import shlex
import signal
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from greenlight_client.cli.inputs import UsageError


async def edited_text(editor: str, text: str, suffix: str) -> str:
    """The text as the editor (a command line) left it; UsageError where it cannot be run or fails."""
    with tempfile.TemporaryDirectory(prefix="greenlight-") as folder:
        path = Path(folder, f"arguments{suffix}")
        path.write_text(text, encoding="utf-8")  # noqa: ASYNC240 - nothing else runs while a person edits
        try:
            with _ctrl_c_is_the_editors():
                process = await asyncio.create_subprocess_exec(*shlex.split(editor), str(path))
                code = await process.wait()
        except (OSError, ValueError) as error:
            raise UsageError(f"the editor {editor!r} cannot be started: {error}; use --arguments") from error
        if code:
            raise UsageError(f"the editor {editor!r} failed; nothing was sent")
        return path.read_text(encoding="utf-8")  # noqa: ASYNC240 - nor now


@contextmanager
def _ctrl_c_is_the_editors() -> Generator[None]:
    """The terminal sends it to both. A handler that does nothing, unlike one that ignores, is not inherited."""
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
