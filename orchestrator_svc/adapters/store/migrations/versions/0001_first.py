"""The first schema."""

import sqlalchemy as sa
from alembic import op

from orchestrator_svc.adapters.store.dialects import PlainText

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_LZ4 = "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"


def upgrade() -> None:
    _incarnations()
    _journal_positions()
    _sessions()
    _batches()
    _indexes_of_batches()
    _proposals()
    _standings()
    _indexes_of_standings()
    _frames()
    _record_times()
    _requests()
    _commands()
    _tools()


def _incarnations() -> None:
    op.create_table(
        "incarnations",
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("start_time", sa.BigInteger(), nullable=False),
        sa.Column("version", PlainText(), nullable=False),
        sa.Column("superseded", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _journal_positions() -> None:
    op.create_table(
        "journal_positions",
        sa.Column("executor_id", PlainText(), nullable=False),
        sa.Column("incarnation", PlainText(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("executor_id", "incarnation"),
        sqlite_with_rowid=False,
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("tenant", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("title", PlainText(), nullable=False),
        sa.Column("context", PlainText(), nullable=False),
        sa.Column("labels", PlainText(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("last_session_no", sa.BigInteger(), nullable=False),
        sa.Column("batch_count", sa.Integer(), nullable=False),
        sa.Column("proposal_count", sa.Integer(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("sessions_by_time", "sessions", ["tenant", "create_time", "id"])


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("batch_no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("session_id", PlainText(), nullable=False),
        sa.Column("session_no", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("published", sa.SmallInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("incarnation", PlainText(), nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("oldest", sa.BigInteger(), nullable=False),
        sa.Column("reopened_after", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("expired", sa.Integer(), nullable=False),
        sa.Column("counts", PlainText(), nullable=False),
        sa.Column("open", sa.SmallInteger(), nullable=False),
        sa.Column("cancelling", sa.SmallInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("finish_time", sa.BigInteger(), nullable=True),
        sa.Column("deadline_time", sa.BigInteger(), nullable=True),
        sa.Column("deadline_left", sa.BigInteger(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("idle_timeout", sa.BigInteger(), nullable=False),
        sa.Column("max_in_flight", sa.Integer(), nullable=False),
        sa.Column("name", PlainText(), nullable=False),
        sa.Column("labels", PlainText(), nullable=False),
        sa.Column("template", PlainText(), nullable=False),
        sa.Column("principal", PlainText(), nullable=False),
        sa.Column("trace_id", PlainText(), nullable=False),
        sa.Column("trace_parent", PlainText(), nullable=False),
        sa.Column("context", PlainText(), nullable=False),
        sa.Column("request_id", PlainText(), nullable=False),
        sa.PrimaryKeyConstraint("batch_no"),
        sa.UniqueConstraint("tenant", "id", name="batches_by_id"),
    )


def _indexes_of_batches() -> None:
    op.create_index("batches_by_number", "batches", ["tenant", "batch_no"])
    op.create_index("batches_by_session", "batches", ["tenant", "session_id", "session_no"])
    op.create_index("batches_of_session", "batches", ["tenant", "session_id", "batch_no"])
    op.create_index(
        "batches_compactable",
        "batches",
        ["finish_time", "tenant"],
        sqlite_where=sa.text("state >= 5 AND oldest <= head"),
        postgresql_where=sa.text("state >= 5 AND oldest <= head"),
    )
    op.create_index(
        "batches_expired",
        "batches",
        ["tenant", "session_id", "batch_no"],
        sqlite_where=sa.text("expired > 0"),
        postgresql_where=sa.text("expired > 0"),
    )
    op.create_index(
        "batches_pending",
        "batches",
        ["tenant", "session_id", "batch_no"],
        sqlite_where=sa.text("asked > 0"),
        postgresql_where=sa.text("asked > 0"),
    )
    op.create_index(
        "batches_reopened",
        "batches",
        ["tenant", "session_id", "session_no"],
        sqlite_where=sa.text("reopened_after > 0"),
        postgresql_where=sa.text("reopened_after > 0"),
    )
    op.create_index(
        "batches_unfinished",
        "batches",
        ["batch_no"],
        sqlite_where=sa.text("state < 5"),
        postgresql_where=sa.text("state < 5"),
    )
    op.create_index(
        "batches_unpublished",
        "batches",
        ["batch_no"],
        sqlite_where=sa.text("published = 0"),
        postgresql_where=sa.text("published = 0"),
    )


def _proposals() -> None:
    op.create_table(
        "proposals",
        sa.Column("batch_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tenant", PlainText(), nullable=False),
        sa.Column("key", PlainText(), nullable=False),
        sa.Column("agent", PlainText(), nullable=False),
        sa.Column("tier", sa.SmallInteger(), nullable=False),
        sa.Column("effect", sa.SmallInteger(), nullable=False),
        sa.Column("tool", PlainText(), nullable=False),
        sa.Column("version", PlainText(), nullable=False),
        sa.Column("added_sequence", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("approval_deadline", sa.BigInteger(), nullable=False),
        sa.Column("timeout", sa.BigInteger(), nullable=False),
        sa.Column("text_bytes", sa.Integer(), nullable=False),
        sa.Column("labels", PlainText(), nullable=False),
        sa.Column("depends_on", PlainText(), nullable=False),
        sa.Column("retry", PlainText(), nullable=False),
        sa.Column("principal", PlainText(), nullable=False),
        sa.Column("idempotency_key", PlainText(), nullable=False),
        sa.Column("proposed_digest", PlainText(), nullable=False),
        sa.Column("title", PlainText(), nullable=False),
        sa.Column("rationale", PlainText(), nullable=False),
        sa.Column("proposed_arguments", PlainText(), nullable=False),
        sa.PrimaryKeyConstraint("batch_no", "ordinal"),
    )


def _standings() -> None:
    op.create_table(
        "standings",
        sa.Column("batch_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tenant", PlainText(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("uncounted", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.SmallInteger(), nullable=False),
        sa.Column("skipped_from", sa.SmallInteger(), nullable=False),
        sa.Column("bound", sa.SmallInteger(), nullable=False),
        sa.Column("asked_time", sa.BigInteger(), nullable=False),
        sa.Column("expire_time", sa.BigInteger(), nullable=False),
        sa.Column("next_time", sa.BigInteger(), nullable=False),
        sa.Column("ready_time", sa.BigInteger(), nullable=False),
        sa.Column("finish_time", sa.BigInteger(), nullable=False),
        sa.Column("text_bytes", sa.Integer(), nullable=False),
        sa.Column("result_bytes", sa.Integer(), nullable=False),
        sa.Column("operator", PlainText(), nullable=False),
        sa.Column("operator_reason", PlainText(), nullable=False),
        sa.Column("skipped_because", PlainText(), nullable=False),
        sa.Column("missing_inputs", PlainText(), nullable=False),
        sa.Column("failure", PlainText(), nullable=False),
        sa.Column("decisions", PlainText(), nullable=False),
        sa.Column("attempts", PlainText(), nullable=False),
        sa.Column("bound_digest", PlainText(), nullable=False),
        sa.Column("edited_digest", PlainText(), nullable=False),
        sa.Column("edited_arguments", PlainText(), nullable=False),
        sa.Column("bound_arguments", PlainText(), nullable=False),
        sa.Column("result", PlainText(), nullable=False),
        sa.PrimaryKeyConstraint("batch_no", "ordinal"),
    )


def _indexes_of_standings() -> None:
    op.create_index(
        "standings_asked",
        "standings",
        ["tenant", "expire_time", "batch_no", "ordinal"],
        sqlite_where=sa.text("state = 1 AND asked_time > 0"),
        postgresql_where=sa.text("state = 1 AND asked_time > 0"),
    )


def _frames() -> None:
    op.create_table(
        "frames",
        sa.Column("batch_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("tenant", PlainText(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("batch_no", "first_sequence"),
    )
    _compress_quickly()


def _compress_quickly() -> None:
    """PostgreSQL compresses what is long; where it was built with lz4, that takes a third of the time."""
    bind = op.get_bind()
    if bind.dialect.name == "postgresql" and bind.exec_driver_sql(_LZ4).scalar():
        op.execute("ALTER TABLE frames ALTER COLUMN payload SET COMPRESSION lz4")


def _record_times() -> None:
    op.create_table(
        "record_times",
        sa.Column("batch_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("duration", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("batch_no", "sequence"),
        sqlite_with_rowid=False,
    )


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("tenant", PlainText(), nullable=False),
        sa.Column("request_id", PlainText(), nullable=False),
        sa.Column("kind", PlainText(), nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(), nullable=False),
        sa.Column("chosen", sa.LargeBinary(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "request_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("requests_by_time", "requests", ["create_time"])


def _commands() -> None:
    op.create_table(
        "commands",
        sa.Column("tenant", PlainText(), nullable=False),
        sa.Column("request_id", PlainText(), nullable=False),
        sa.Column("batch_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "request_id", "batch_no"),
        sqlite_with_rowid=False,
    )


def _tools() -> None:
    op.create_table(
        "tools",
        sa.Column("name", PlainText(), nullable=False),
        sa.Column("version", PlainText(), nullable=False),
        sa.Column("descriptor", PlainText(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version"),
    )
