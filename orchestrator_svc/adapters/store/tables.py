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
    Table,
    UniqueConstraint,
    and_,
    literal_column,
)

from orchestrator_svc.adapters.store.columns import metadata, number, small, text, time
from orchestrator_svc.adapters.store.dialects import PlainText

# The revision that this code works with.
REVISION = "0004"

sessions = Table(
    "sessions",
    metadata,
    Column("tenant", PlainText, primary_key=True),
    Column("id", PlainText, primary_key=True),
    text("title"),
    text("context"),
    text("labels"),
    number("revision"),
    time("last_session_no"),
    number("batch_count"),
    number("proposal_count"),
    time("create_time"),
    time("update_time"),
    Index("sessions_by_time", "tenant", "create_time", "id"),
    sqlite_with_rowid=False,
)

# `incarnation`: whose it is; '' is nobody's. `wake_time`: when one of nobody's is to be looked at, NULL: never; of one
# that is idle it stays when it is taken.
batches = Table(
    "batches",
    metadata,
    Column("batch_no", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    text("tenant"),
    text("id"),
    text("session_id"),
    time("session_no"),
    small("state"),
    small("published"),
    number("epoch"),
    text("incarnation"),
    time("head"),
    time("oldest"),
    time("reopened_after"),
    number("total"),
    number("asked"),
    number("expired"),
    text("counts"),
    small("open"),
    small("cancelling"),
    time("create_time"),
    Column("finish_time", BigInteger),
    Column("deadline_time", BigInteger),
    Column("deadline_left", BigInteger),
    Column("deadline", BigInteger),
    time("idle_timeout"),
    number("max_in_flight"),
    text("name"),
    text("labels"),
    text("template"),
    text("principal"),
    text("trace_id"),
    text("trace_parent"),
    text("context"),
    text("request_id"),
    Column("wake_time", BigInteger),
    UniqueConstraint("tenant", "id", name="batches_by_id"),
)
Index("batches_by_session", batches.c.tenant, batches.c.session_id, batches.c.session_no)
Index("batches_of_session", batches.c.tenant, batches.c.session_id, batches.c.id)
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
Index("batches_unfinished", batches.c.id, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)
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
    text("tenant"),
    text("key"),
    text("agent"),
    small("tier"),
    small("effect"),
    text("tool"),
    text("version"),
    time("added_sequence"),
    time("create_time"),
    time("approval_deadline"),
    time("timeout"),
    number("text_bytes"),
    text("labels"),
    text("depends_on"),
    text("retry"),
    text("principal"),
    text("idempotency_key"),
    text("proposed_digest"),
    text("title"),
    text("rationale"),
    text("proposed_arguments"),
)

# Where each proposal stands: one row each, written anew with each move; apart, because SQLite writes whole rows.
# `bound`: 0 = not yet, 1 = what was proposed (or edited), 2 = what `bound_arguments` says. `text_bytes`: of its wide
# texts but the result.
standings = Table(
    "standings",
    metadata,
    Column("batch_no", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    text("tenant"),
    small("state"),
    number("revision"),
    number("uncounted"),
    small("cancel_requested"),
    small("skipped_from"),
    small("bound"),
    time("asked_time"),
    time("expire_time"),
    time("next_time"),
    time("ready_time"),
    time("finish_time"),
    number("text_bytes"),
    number("result_bytes"),
    text("operator"),
    text("operator_reason"),
    text("skipped_because"),
    text("missing_inputs"),
    text("failure"),
    text("decisions"),
    text("attempts"),
    text("bound_digest"),
    text("edited_digest"),
    text("edited_arguments"),
    text("bound_arguments"),
    text("result"),
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
    time("last_sequence"),
    text("tenant"),
    Column("payload", LargeBinary, nullable=False),
)

# How long it took to record what came in last before `sequence`. Beside the frames: a column there would have each
# frame written twice.
record_times = Table(
    "record_times",
    metadata,
    Column("batch_no", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    time("duration"),
    sqlite_with_rowid=False,
)

requests = Table(
    "requests",
    metadata,
    Column("tenant", PlainText, primary_key=True),
    Column("request_id", PlainText, primary_key=True),
    text("kind"),
    Column("payload_hash", LargeBinary, nullable=False),
    Column("chosen", LargeBinary, nullable=False),
    time("create_time"),
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

tools = Table(
    "tools",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("version", PlainText, primary_key=True),
    text("descriptor"),
    time("first_seen"),
)
