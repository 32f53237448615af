"""Text of others on several lines, and what the terminal stops whatever a command forgot."""

import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from greenlight_client.cli.quoted import Quoted
from greenlight_client.cli.terminal import Settings, Terminal


def _drawn(text: str, width: int = 40) -> list[str]:
    out = io.StringIO()
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_row("rationale", Quoted(text))
    Console(file=out, width=width).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_one_line_stands_as_it_is() -> None:
    assert _drawn("because [bold]it\x1b[31m fits") == ["rationale  because [bold]it fits"]


def test_several_lines_have_a_bar_each() -> None:
    assert _drawn("because\nstate  approved\r\n\r\nyes") == [
        "rationale  │ because",
        "           │ state  approved",
        "           │",
        "           │ yes",
    ]


def test_and_so_have_the_parts_of_one_that_is_too_long() -> None:
    lines = _drawn("word " * 12)
    assert len(lines) > 1
    assert all(line[11:13] == "│ " for line in lines)


def test_what_a_command_forgot_to_clean_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(Settings())
    evil = "a\x1b[31m\x9b2J\r\x08\u202e\u2066\u200b\ufeffb"
    table = Table.grid()
    table.add_row(Text(evil))
    terminal.result(evil, Text(evil), table)
    terminal.say(f"{evil}\nforged")
    out, err = capsys.readouterr()
    assert out.split() == ["a[31m2Jb"] * 3
    assert err == "a[31m2Jb forged\n"
