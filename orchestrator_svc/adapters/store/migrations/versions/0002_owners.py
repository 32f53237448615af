"""Batches that belong to nobody, leases that are renewed, and commands for owners."""

import sqlalchemy as sa
from alembic import op

from orchestrator_svc.adapters.store.dialects import PlainText

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incarnations", sa.Column("counter", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("batches", sa.Column("wake_time", sa.BigInteger(), nullable=True))
    # What is finished is nobody's; the rest is its last start's, which the next one ends.
    op.execute("UPDATE batches SET incarnation = '' WHERE state >= 5 AND published = 1")
    # An idle one ends as if it were idle from now on, as it was after each start until now.
    postgresql = op.get_bind().dialect.name == "postgresql"
    now = "extract(epoch FROM now())::bigint" if postgresql else "CAST(strftime('%s', 'now') AS INTEGER)"
    op.execute(f"UPDATE batches SET wake_time = {now} * 1000000000 + idle_timeout WHERE state = 3")
    op.create_index(
        "batches_owned",
        "batches",
        ["incarnation", "batch_no"],
        sqlite_where=sa.text("incarnation != ''"),
        postgresql_where=sa.text("incarnation != ''"),
    )
    op.create_index(
        "batches_due",
        "batches",
        ["wake_time", "batch_no"],
        sqlite_where=sa.text("incarnation = '' AND wake_time IS NOT NULL"),
        postgresql_where=sa.text("incarnation = '' AND wake_time IS NOT NULL"),
    )
    _inbox()


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("tenant", PlainText(), nullable=False),
        sa.Column("request_id", PlainText(), nullable=False),
        sa.Column("batch_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sent_time", sa.BigInteger(), nullable=False),
        sa.Column("sender", PlainText(), nullable=False),
        sa.Column("kind", PlainText(), nullable=False),
        sa.Column("principal", PlainText(), nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(), nullable=False),
        sa.Column("arguments", sa.LargeBinary(), nullable=False),
        sa.Column("refusal", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "request_id", "batch_no"),
    )
