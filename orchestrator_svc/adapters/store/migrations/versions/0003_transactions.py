"""Each start's last transactions, by numbers of its own."""

import sqlalchemy as sa
from alembic import op

from orchestrator_svc.adapters.store.dialects import PlainText

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "transactions",
        sa.Column("incarnation", PlainText(), nullable=False),
        sa.Column("lane", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incarnation", "lane"),
        sqlite_with_rowid=False,
    )
