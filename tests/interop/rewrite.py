"""Writes what the commands really print into documents: python -m tests.interop.rewrite FILE.md...

A section whose output is the same already is left alone; so is an output with a `...`, which is written by hand.
"""

import sys
import tempfile
from pathlib import Path

from tests.interop.console import BLOCK, ELLIPSIS, ID, Console, commands, commands_of, same, sections
from tests.interop.documented import console


def rewritten(section: str, console: Console) -> str:
    printed = [console.run(command) for command in commands(section)]
    if all(same(command.output, real) for command, real in zip(commands(section), printed, strict=True)):
        return section
    rest = iter(printed)

    def block(old: str) -> str:
        lines = ["```console"]
        for command in commands_of(old):
            real = next(rest)
            output = command.output if ELLIPSIS in command.output.splitlines() else real
            lines += ["$ " + _renamed(command.text, console), *([_renamed(output, console)] if output else [])]
        return "\n".join([*lines, "```"])

    return BLOCK.sub(lambda match: block(match[1]), section)


def _renamed(text: str, console: Console) -> str:
    return ID.sub(lambda match: console.ids.get(match[0], match[0]), text)


def main() -> None:
    for name in sys.argv[1:]:
        path = Path(name)
        document = path.read_text(encoding="utf-8")
        for number, section in enumerate(sections(document), 1):
            with tempfile.TemporaryDirectory() as folder, console(Path(folder)) as session:
                new = rewritten(section, session)
            document = document.replace(section, new, 1)
            print(f"{name}: section {number} {'is as it was' if new == section else 'written'}")
        path.write_text(document, encoding="utf-8")


if __name__ == "__main__":
    main()
