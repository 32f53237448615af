import logging
import sys

import pytest

from shared.runtime.log_lines import MESSAGE_CHARACTERS, TRACEBACK_CHARACTERS, LineFormatter

_FORGED = "2026-01-01 00:00:00,000 ERROR orchestrator: all is lost"


def _formatted(message: str, error: BaseException | None = None) -> str:
    caught = None
    if error is not None:
        try:
            raise error
        except type(error):
            caught = sys.exc_info()
    record = logging.LogRecord("a", logging.INFO, __file__, 1, "said: %s", (message,), caught)
    return LineFormatter("%(levelname)s %(message)s").format(record)


def test_what_is_plain_stays_as_it_is():
    assert _formatted("größer: 5 °C\tof 7") == "INFO said: größer: 5 °C\tof 7"


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\x00b", "a\rb", "a\x9bb", "a\u202eb", "a\u2028b"])
def test_what_acts_on_a_terminal_is_escaped(text: str):
    for line in (_formatted(text), _formatted("", ValueError(text))):
        assert not any(mark in line for mark in "\x1b\x00\r\x9b\u202e\u2028")
        assert "\\" in line


def test_no_text_begins_a_line_of_the_log():
    for formatted in (_formatted(f"x\n{_FORGED}"), _formatted("", ValueError(f"x\n{_FORGED}"))):
        assert _FORGED in formatted
        assert all(line.startswith("  ") for line in formatted.splitlines()[1:])


def test_no_text_fills_the_log():
    assert len(_formatted("x" * 1_000_000)) < MESSAGE_CHARACTERS + 100
    assert len(_formatted("", ValueError("x" * 1_000_000))) < TRACEBACK_CHARACTERS + 200
