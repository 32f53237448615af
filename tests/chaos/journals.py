"""What the executors' journals hold, read from their files: after a run, whether an outcome could have been known."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from executor_svc.domain.journalled import Standing
from executor_svc.domain.outcome import FailureClass, KnownEffect

_CALLS = """
SELECT call_id, standing, boot_no, ending, effect, (SELECT max(boot_no) FROM boots) FROM calls
"""
_UNDER_WAY = "SELECT 1 FROM calls WHERE standing = ? AND boot_no = (SELECT max(boot_no) FROM boots) LIMIT 1"


class Word(Enum):
    """What a journal can say of a call. CUT_OFF: it was accepted, and its executor did not live to say how it ended."""

    ENDED = "ended"
    CUT_OFF = "cut off"
    STOPPED = "stopped half-way"
    NEVER_SEEN = "never seen"


class Journal(NamedTuple):
    """`service`: whose."""

    service: str
    words: Mapping[str, Word]

    def word(self, call_id: str) -> Word:
        return self.words.get(call_id, Word.NEVER_SEEN)


def read_journals(files: Mapping[str, Path]) -> dict[str, Journal]:
    """By executor id, from service -> file."""
    found: dict[str, Journal] = {}
    for service, path in files.items():
        with closing(sqlite3.connect(path)) as connection:
            ((executor_id,),) = connection.execute("SELECT executor_id FROM journal")
            words = {row[0]: _word(*row[1:]) for row in connection.execute(_CALLS)}
        found[executor_id] = Journal(service, words)
    return found


def is_at_work(file: Path) -> bool:
    """Whether its executor, which lives, runs a NON_IDEMPOTENT call."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(_UNDER_WAY, (int(Standing.ACCEPTED),)).fetchone() is not None


def _word(standing: int, boot_no: int, ending: str, effect: str, last_boot: int) -> Word:
    if standing == Standing.FENCED:
        return Word.NEVER_SEEN
    open_until_now = standing == Standing.ACCEPTED
    if boot_no < last_boot and (open_until_now or (ending, effect) == _CUT_OFF):
        return Word.CUT_OFF
    return Word.STOPPED if effect == KnownEffect.POSSIBLE.value else Word.ENDED


_CUT_OFF = (FailureClass.UNAVAILABLE.value, KnownEffect.POSSIBLE.value)
