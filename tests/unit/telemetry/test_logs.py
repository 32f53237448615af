import logging

import pytest

from shared.runtime.process import log_to_stderr


def test_a_line_names_the_trace_that_it_is_of(capsys: pytest.CaptureFixture[str]):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        log_to_stderr("INFO")
        logging.getLogger("a").info("one", extra={"trace_id": "0af7"})
        logging.getLogger("a").info("two")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert [line.partition(" INFO ")[2] for line in capsys.readouterr().err.splitlines()] == [
        "a: one trace_id=0af7",
        "a: two",
    ]
