"""Lists of batches go by their ids: no index of row numbers serves them any more."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Of two indexes that seem to be as good, SQLite takes the one that was made later: those of few rows are.
_OF_FEW = {
    "batches_expired": (["tenant", "session_id", "batch_no"], "expired > 0"),
    "batches_pending": (["tenant", "session_id", "batch_no"], "asked > 0"),
    "batches_reopened": (["tenant", "session_id", "session_no"], "reopened_after > 0"),
    "batches_unfinished": (["id"], "state < 5"),
}


def upgrade() -> None:
    for name in ("batches_by_number", "batches_of_session", *_OF_FEW):
        op.drop_index(name, "batches")
    op.create_index("batches_of_session", "batches", ["tenant", "session_id", "id"])
    for name, (columns, condition) in _OF_FEW.items():
        where = sa.text(condition)
        op.create_index(name, "batches", columns, sqlite_where=where, postgresql_where=where)
