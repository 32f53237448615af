"""A person's own editor, for a text that is to be changed."""

import asyncio
import shlex
import tempfile
from pathlib import Path

from greenlight_client.cli.inputs import UsageError


async def edited_text(editor: str, text: str, suffix: str) -> str:
    """The text as the editor (a command line) left it; UsageError where it cannot be run or fails."""
    with tempfile.TemporaryDirectory(prefix="greenlight-") as folder:
        path = Path(folder, f"arguments{suffix}")
        path.write_text(text, encoding="utf-8")  # noqa: ASYNC240 - nothing else runs while a person edits
        try:
            process = await asyncio.create_subprocess_exec(*shlex.split(editor), str(path))
        except (OSError, ValueError) as error:
            raise UsageError(f"the editor {editor!r} cannot be started: {error}; use --arguments") from error
        if await process.wait():
            raise UsageError(f"the editor {editor!r} failed; nothing was sent")
        return path.read_text(encoding="utf-8")  # noqa: ASYNC240
