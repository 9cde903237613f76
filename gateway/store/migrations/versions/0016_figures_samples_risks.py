"""Statistical facts and reports, draws of samples, and persons who may not decide a task."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_OTHERS = sa.text("kind <> 'consignment'")
_ABOUT = sa.text("subject <> ''")


def upgrade() -> None:
    """New tables, empty: nothing is counted of what was decided before."""
    op.create_table(
        "figures",
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("dims", sa.Text(), nullable=False),
        sa.Column("measures", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("test", "number"),
    )
    op.create_index("figures_subject", "figures", ["subject", "test"], sqlite_where=_ABOUT, postgresql_where=_ABOUT)
    op.create_index("figures_day", "figures", ["test", "kind", "day"])
    op.create_table(
        "reports",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("first_day", sa.Text(), nullable=False),
        sa.Column("last_day", sa.Text(), nullable=False),
        sa.Column("begun", sa.Text(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", "test", "first_day"),
    )
    op.create_table(
        "tallies",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("stratum", sa.Text(), nullable=False),
        sa.Column("window", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("drawn", sa.BigInteger(), nullable=False),
        sa.Column("chosen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("plan", "stratum", "window", "test"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "draws",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("stratum", sa.Text(), nullable=False),
        sa.Column("window", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("fraction", sa.Text(), nullable=False),
        sa.Column("chosen", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("chosen_before", sa.BigInteger(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("plan", "item", "test"),
    )
    op.create_index("draws_number", "draws", ["plan", "window", "test", "stratum", "number"], unique=True)
    op.create_index("cases_kind", "cases", ["kind", "test", "id"], sqlite_where=_OTHERS, postgresql_where=_OTHERS)
    op.add_column("tasks", sa.Column("barred", sa.Text(), nullable=False, server_default="[]"))


def downgrade() -> None:
    """What was counted and drawn is lost; reports that were sent out stay with their readers."""
    op.drop_column("tasks", "barred")
    op.drop_index("cases_kind", "cases")
    for table in ("draws", "tallies", "reports", "figures"):
        op.drop_table(table)
