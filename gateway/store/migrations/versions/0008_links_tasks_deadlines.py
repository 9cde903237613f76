"""Cases are linked, decisions wait for persons as tasks, and terms are kept until they are over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Empty tables: cases of earlier versions have no links, and their terms are set when they next move."""
    op.create_table(
        "case_links",
        _case("case_id"),
        sa.Column("kind", sa.Text(), nullable=False),
        _case("other_id"),
        sa.PrimaryKeyConstraint("case_id", "kind", "other_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("case_links_other", "case_links", ["other_id", "kind"])
    op.create_table(
        "tasks",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        _case("case_id"),
        sa.Column("track", sa.Text(), nullable=False),
        sa.Column("office", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("option", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger()),
        sa.Column("test", sa.Boolean(), nullable=False),
    )
    op.create_index("tasks_case", "tasks", ["case_id"])
    op.create_index("tasks_office", "tasks", ["office", "state", "test", "id"])
    op.create_table(
        "deadlines",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("wake_at", sa.BigInteger(), nullable=False),
        sa.Column("args", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
    )
    op.create_index("deadlines_wake", "deadlines", ["wake_at"])
    held = sa.text("holder <> ''")
    op.create_index("deadlines_holder", "deadlines", ["holder"], sqlite_where=held, postgresql_where=held)


def downgrade() -> None:
    """The version before knows none of them."""
    for table in ("deadlines", "tasks", "case_links"):
        op.drop_table(table)


def _case(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), sa.ForeignKey("cases.id", ondelete="CASCADE"), nullable=False)
