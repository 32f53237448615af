"""The tables of several orchestrators, beside `tables`: starts, what each has made last, commands to others."""

from sqlalchemy import BigInteger, Column, LargeBinary, SmallInteger, Table

from orchestrator_svc.adapters.store.columns import metadata, small, text, time
from orchestrator_svc.adapters.store.dialects import PlainText

# Starts of orchestrators. `superseded`: it has ended, and may not write any more. `counter` grows while it lives.
incarnations = Table(
    "incarnations",
    metadata,
    Column("id", PlainText, primary_key=True),
    time("start_time"),
    text("version"),
    small("superseded"),
    Column("counter", BigInteger, nullable=False, server_default="0"),
)

# The last transaction that each start has made, of those that commit changes and of its others: where the answer to a
# COMMIT is lost it is looked for here. By a number of its own; the database's are given out again after a crash.
transactions = Table(
    "transactions",
    metadata,
    Column("incarnation", PlainText, primary_key=True),
    Column("lane", SmallInteger, primary_key=True, autoincrement=False),
    time("number"),
    sqlite_with_rowid=False,
)

# The highest journal position that was recorded of each executor; a row an incarnation, so that none waits for another.
journal_positions = Table(
    "journal_positions",
    metadata,
    Column("executor_id", PlainText, primary_key=True),
    Column("incarnation", PlainText, primary_key=True),
    time("position"),
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
    time("sent_time"),
    text("sender"),
    text("kind"),
    text("principal"),
    Column("payload_hash", LargeBinary, nullable=False),
    Column("arguments", LargeBinary, nullable=False),
    Column("refusal", LargeBinary),
)
