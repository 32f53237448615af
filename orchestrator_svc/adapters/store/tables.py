"""The schema. Migrations make it; a test holds the two together.

Every row of a user carries its tenant. In `proposals` and `standings`, which are written most, nothing is NULL: '' and
0 stand for *nothing* (sqlite3 takes 0.3 us to bind a None, 0.03 us to bind either). Narrow columns come before wide
ones, so that filtering reads no overflow page; `..._bytes` say how wide those are, so that a reader knows what it would
read. Where rows may be wide (results, frames) the table has a rowid: without one SQLite reads each row that it passes
whole, to compare keys (400 results of 500 KB: 260 ms a join instead of 0.3). Times are ns since 1970 (UTC), booleans 0
and 1.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    UniqueConstraint,
    and_,
    literal_column,
)

from orchestrator_svc.adapters.store.dialects import PlainText

metadata = MetaData()

# The revision that this code works with.
REVISION = "0003"


def _text(name: str) -> Column[str]:
    return Column(name, PlainText, nullable=False)


def _time(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _small(name: str) -> Column[int]:
    return Column(name, SmallInteger, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


# Starts of orchestrators. `superseded`: it has ended, and may not write any more. `counter` grows while it lives.
incarnations = Table(
    "incarnations",
    metadata,
    Column("id", PlainText, primary_key=True),
    _time("start_time"),
    _text("version"),
    _small("superseded"),
    Column("counter", BigInteger, nullable=False, server_default="0"),
)

# The last transaction that each start has made, of those that commit changes and of its others: where the answer to a
# COMMIT is lost it is looked for here. By a number of its own; the database's are given out again after a crash.
transactions = Table(
    "transactions",
    metadata,
    Column("incarnation", PlainText, primary_key=True),
    Column("lane", SmallInteger, primary_key=True, autoincrement=False),
    _time("number"),
    sqlite_with_rowid=False,
)

# The highest journal position that was recorded of each executor; a row an incarnation, so that none waits for another.
journal_positions = Table(
    "journal_positions",
    metadata,
    Column("executor_id", PlainText, primary_key=True),
    Column("incarnation", PlainText, primary_key=True),
    _time("position"),
    sqlite_with_rowid=False,
)

sessions = Table(
    "sessions",
    metadata,
    Column("tenant", PlainText, primary_key=True),
    Column("id", PlainText, primary_key=True),
    _text("title"),
    _text("context"),
    _text("labels"),
    _number("revision"),
    _time("last_session_no"),
    _number("batch_count"),
    _number("proposal_count"),
    _time("create_time"),
    _time("update_time"),
    Index("sessions_by_time", "tenant", "create_time", "id"),
    sqlite_with_rowid=False,
)

# `incarnation`: whose it is; '' is nobody's. `wake_time`: when one of nobody's is to be looked at, NULL: never; of one
# that is idle it stays when it is taken.
batches = Table(
    "batches",
    metadata,
    Column("batch_no", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    _text("tenant"),
    _text("id"),
    _text("session_id"),
    _time("session_no"),
    _small("state"),
    _small("published"),
    _number("epoch"),
    _text("incarnation"),
    _time("head"),
    _time("oldest"),
    _time("reopened_after"),
    _number("total"),
    _number("asked"),
    _number("expired"),
    _text("counts"),
    _small("open"),
    _small("cancelling"),
    _time("create_time"),
    Column("finish_time", BigInteger),
    Column("deadline_time", BigInteger),
    Column("deadline_left", BigInteger),
    Column("deadline", BigInteger),
    _time("idle_timeout"),
    _number("max_in_flight"),
    _text("name"),
    _text("labels"),
    _text("template"),
    _text("principal"),
    _text("trace_id"),
    _text("trace_parent"),
    _text("context"),
    _text("request_id"),
    Column("wake_time", BigInteger),
    UniqueConstraint("tenant", "id", name="batches_by_id"),
)
Index("batches_by_number", batches.c.tenant, batches.c.batch_no)
Index("batches_by_session", batches.c.tenant, batches.c.session_id, batches.c.session_no)
Index("batches_of_session", batches.c.tenant, batches.c.session_id, batches.c.batch_no)
# Literals: with a parameter it is known only once that is bound whether a partial index serves a query.
_ZERO, _ONE, _FINISHED = [literal_column(number, Integer) for number in ("0", "1", "5")]
UNFINISHED = batches.c.state < _FINISHED
PENDING = batches.c.asked > _ZERO
EXPIRED = batches.c.expired > _ZERO
REOPENED = batches.c.reopened_after > _ZERO
UNPUBLISHED = batches.c.published == _ZERO
_NOBODY = literal_column("''", PlainText)
OWNED = batches.c.incarnation != _NOBODY
DUE = and_(batches.c.incarnation == _NOBODY, batches.c.wake_time.is_not(None))
# Finished, with events: `oldest` is the first one that is there.
COMPACTABLE = and_(batches.c.state >= _FINISHED, batches.c.oldest <= batches.c.head)
Index("batches_unfinished", batches.c.batch_no, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)
Index("batches_owned", batches.c.incarnation, batches.c.batch_no, sqlite_where=OWNED, postgresql_where=OWNED)
Index("batches_due", batches.c.wake_time, batches.c.batch_no, sqlite_where=DUE, postgresql_where=DUE)
Index(
    "batches_pending",
    batches.c.tenant,
    batches.c.session_id,
    batches.c.batch_no,
    sqlite_where=PENDING,
    postgresql_where=PENDING,
)
Index(
    "batches_expired",
    batches.c.tenant,
    batches.c.session_id,
    batches.c.batch_no,
    sqlite_where=EXPIRED,
    postgresql_where=EXPIRED,
)
Index(
    "batches_reopened",
    batches.c.tenant,
    batches.c.session_id,
    batches.c.session_no,
    sqlite_where=REOPENED,
    postgresql_where=REOPENED,
)
Index("batches_unpublished", batches.c.batch_no, sqlite_where=UNPUBLISHED, postgresql_where=UNPUBLISHED)
Index(
    "batches_compactable",
    batches.c.finish_time,
    batches.c.tenant,
    sqlite_where=COMPACTABLE,
    postgresql_where=COMPACTABLE,
)

# What was proposed: written once. `depends_on` is by ordinal. `text_bytes`: of its wide texts.
proposals = Table(
    "proposals",
    metadata,
    Column("batch_no", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    _text("tenant"),
    _text("key"),
    _text("agent"),
    _small("tier"),
    _small("effect"),
    _text("tool"),
    _text("version"),
    _time("added_sequence"),
    _time("create_time"),
    _time("approval_deadline"),
    _time("timeout"),
    _number("text_bytes"),
    _text("labels"),
    _text("depends_on"),
    _text("retry"),
    _text("principal"),
    _text("idempotency_key"),
    _text("proposed_digest"),
    _text("title"),
    _text("rationale"),
    _text("proposed_arguments"),
)

# Where each proposal stands: one row each, written anew with each move; apart, because SQLite writes whole rows.
# `bound`: 0 = not yet, 1 = what was proposed (or edited), 2 = what `bound_arguments` says. `text_bytes`: of its wide
# texts but the result.
standings = Table(
    "standings",
    metadata,
    Column("batch_no", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    _text("tenant"),
    _small("state"),
    _number("revision"),
    _number("uncounted"),
    _small("cancel_requested"),
    _small("skipped_from"),
    _small("bound"),
    _time("asked_time"),
    _time("expire_time"),
    _time("next_time"),
    _time("ready_time"),
    _time("finish_time"),
    _number("text_bytes"),
    _number("result_bytes"),
    _text("operator"),
    _text("operator_reason"),
    _text("skipped_because"),
    _text("missing_inputs"),
    _text("failure"),
    _text("decisions"),
    _text("attempts"),
    _text("bound_digest"),
    _text("edited_digest"),
    _text("edited_arguments"),
    _text("bound_arguments"),
    _text("result"),
)
# Those that a person is asked for now: what the approvers' inbox pages through. Calls that nobody decides never enter.
ASKED = and_(standings.c.state == _ONE, standings.c.asked_time > _ZERO)
Index(
    "standings_asked",
    standings.c.tenant,
    standings.c.expire_time,
    standings.c.batch_no,
    standings.c.ordinal,
    sqlite_where=ASKED,
    postgresql_where=ASKED,
)

frames = Table(
    "frames",
    metadata,
    Column("batch_no", BigInteger, primary_key=True, autoincrement=False),
    Column("first_sequence", BigInteger, primary_key=True, autoincrement=False),
    _time("last_sequence"),
    _text("tenant"),
    Column("payload", LargeBinary, nullable=False),
)

# How long it took to record what came in last before `sequence`. Beside the frames: a column there would have each
# frame written twice.
record_times = Table(
    "record_times",
    metadata,
    Column("batch_no", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    _time("duration"),
    sqlite_with_rowid=False,
)

requests = Table(
    "requests",
    metadata,
    Column("tenant", PlainText, primary_key=True),
    Column("request_id", PlainText, primary_key=True),
    _text("kind"),
    Column("payload_hash", LargeBinary, nullable=False),
    Column("chosen", LargeBinary, nullable=False),
    _time("create_time"),
    Index("requests_by_time", "create_time"),
    sqlite_with_rowid=False,
)

commands = Table(
    "commands",
    metadata,
    Column("tenant", PlainText, primary_key=True),
    Column("request_id", PlainText, primary_key=True),
    Column("batch_no", BigInteger, primary_key=True, autoincrement=False),
    Column("answer", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Commands for batches of another orchestrator. `sender`: the incarnation that waits. `refusal`: it was judged, and
# changed nothing; else its answer comes into `commands`.
inbox = Table(
    "inbox",
    metadata,
    Column("tenant", PlainText, primary_key=True),
    Column("request_id", PlainText, primary_key=True),
    Column("batch_no", BigInteger, primary_key=True, autoincrement=False),
    _time("sent_time"),
    _text("sender"),
    _text("kind"),
    _text("principal"),
    Column("payload_hash", LargeBinary, nullable=False),
    Column("arguments", LargeBinary, nullable=False),
    Column("refusal", LargeBinary),
)

tools = Table(
    "tools",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("version", PlainText, primary_key=True),
    _text("descriptor"),
    _time("first_seen"),
)
