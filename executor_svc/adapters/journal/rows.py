"""What is read from and written to the journal's tables. The caller begins and ends the transaction."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from executor_svc.domain.journalled import Entry, Standing, ending_of
from executor_svc.domain.outcome import Failure, FailureClass, KnownEffect, Outcome
from executor_svc.ports.journal import Acceptance, Opened

_ACCEPTED, _ENDED, _FORGOTTEN, _FENCED = (int(standing) for standing in Standing)
_INSERT = "INSERT INTO calls (call_id, standing, boot_no, since, digest) VALUES (?, ?, ?, ?, ?)"
_END = f"""
UPDATE calls SET standing = {_ENDED}, since = ?, ending = ?, effect = ?, position = ?,
    start_ns = ?, queue_seconds = ?, run_seconds = ?, failure = ?, result = ?
WHERE call_id = ? AND standing <= {_ENDED}
"""
# What an earlier start accepted and never saw the end of may have had its effect.
_FORGET = f"""
UPDATE calls SET standing = {_FORGOTTEN}, since = ?, failure = '', result = NULL,
    ending = iif(standing = {_ENDED}, ending, '{FailureClass.UNAVAILABLE.value}'),
    effect = iif(standing = {_ENDED}, effect, '{KnownEffect.POSSIBLE.value}')
WHERE call_id = ? AND (standing = {_ENDED} OR (standing = {_ACCEPTED} AND boot_no < ?))
"""
_FIND = """
SELECT call_id, standing, ifnull(boot_id, ''), digest, ending, effect, calls.position, start_ns,
    queue_seconds, run_seconds, failure, result
FROM json_each(?) AS wanted JOIN calls ON call_id = wanted.value LEFT JOIN boots USING (boot_no)
"""
# For looks. Starts that are older than the last 1,000 count as unknown: a call that was sent to one may still run.
_EARLIER = "SELECT boot_id FROM boots WHERE trusted ORDER BY boot_no DESC LIMIT 1000"
_PRUNE = f"""
DELETE FROM calls WHERE call_id IN (
    SELECT call_id FROM calls WHERE standing IN ({_FORGOTTEN}, {_FENCED}) AND since < ? ORDER BY since LIMIT ?
)
"""


def begin_boot(
    connection: sqlite3.Connection, boot_id: str, executor_id: str, now: int, place: tuple[str, str]
) -> tuple[int, Opened]:
    """Returns the boot number as well. `place`: device and inode of the file, as text: either may be larger than
    SQLite's integers."""
    row = connection.execute("SELECT executor_id, position FROM journal").fetchone()
    first = row is None
    if first:
        connection.execute("INSERT INTO journal VALUES (1, ?, 0, 0)", (executor_id,))
    known_id, position = (executor_id, 0) if first else row
    last = connection.execute("SELECT device, inode FROM boots ORDER BY boot_no DESC LIMIT 1").fetchone()
    copied = last is not None and last != place
    if copied:
        connection.execute("UPDATE boots SET trusted = 0")
    earlier = frozenset(earlier for (earlier,) in connection.execute(_EARLIER))
    insert = "INSERT INTO boots (boot_id, start_time, device, inode, trusted) VALUES (?, ?, ?, ?, 1)"
    boot_no = connection.execute(insert, (boot_id, now, *place)).lastrowid
    assert boot_no is not None
    return boot_no, Opened(known_id, position, first, copied, earlier)


def accept(connection: sqlite3.Connection, calls: Sequence[Acceptance], boot_no: int, now: int) -> dict[str, Entry]:
    """Returns the entries of those that are there already."""
    held = find(connection, [call.call_id for call in calls])
    rows = [(call.call_id, _ACCEPTED, boot_no, now, call.digest) for call in calls if call.call_id not in held]
    connection.executemany(_INSERT, rows)
    return held


def fence(connection: sqlite3.Connection, call_ids: Sequence[str], now: int) -> dict[str, Entry]:
    """Returns the entries of those that are there already."""
    held = find(connection, call_ids)
    rows = [(call_id, _FENCED, 0, now, "") for call_id in dict.fromkeys(call_ids) if call_id not in held]
    connection.executemany(_INSERT, rows)
    return held


def end(connection: sqlite3.Connection, outcomes: Iterable[Outcome], position: int, now: int) -> None:
    connection.executemany(_END, [_ending_row(outcome, position, now) for outcome in outcomes])


def forget(connection: sqlite3.Connection, call_ids: Iterable[str], boot_no: int, now: int) -> None:
    connection.executemany(_FORGET, [(now, call_id, boot_no) for call_id in call_ids])


def advance(connection: sqlite3.Connection, position: int) -> None:
    """Changes something in any case: SQLite writes no page that stays as it is, and so would not tell a full disk."""
    connection.execute("UPDATE journal SET position = ?, writes = writes + 1", (position,))


def prune(connection: sqlite3.Connection, before: int, limit: int) -> int:
    return connection.execute(_PRUNE, (before, limit)).rowcount


def known_boots(connection: sqlite3.Connection, boot_ids: Collection[str]) -> set[str]:
    statement = "SELECT boot_id FROM json_each(?) AS wanted JOIN boots ON boot_id = wanted.value WHERE trusted"
    return {boot_id for (boot_id,) in connection.execute(statement, (json.dumps([*boot_ids]),))}


def find(connection: sqlite3.Connection, call_ids: Sequence[str]) -> dict[str, Entry]:
    """Those that are there."""
    found = connection.execute(_FIND, (json.dumps([*call_ids]),))
    return {row[0]: _entry(row) for row in found}


def _entry(row: tuple[Any, ...]) -> Entry:
    call_id, standing, boot_id, digest, ending, effect, position, start_ns, queue, run, failure, result = row
    outcome: Outcome | None = None
    if standing == _ENDED:
        outcome = Outcome(call_id, result, _read_failure(failure) if failure else None, start_ns, queue, run, position)
    known = KnownEffect(effect) if effect else KnownEffect.NONE
    return Entry(call_id, digest, boot_id, Standing(standing), outcome, ending, known)


def _ending_row(outcome: Outcome, position: int, now: int) -> tuple[Any, ...]:
    ending, effect = ending_of(outcome)
    failure = _write_failure(outcome.failure) if outcome.failure else ""
    times = (outcome.start_ns, outcome.queue_seconds, outcome.run_seconds)
    return now, ending, effect.value, position, *times, failure, outcome.result, outcome.call_id


def _write_failure(failure: Failure) -> str:
    known = [failure.failure_class.value, failure.effect.value, failure.reason, failure.message]
    return json.dumps([*known, failure.retry_after, failure.refused])


def _read_failure(text: str) -> Failure:
    failure_class, effect, reason, message, retry_after, was_refused = json.loads(text)
    return Failure(FailureClass(failure_class), KnownEffect(effect), reason, message, retry_after, was_refused)
