"""Tasks are claimed and decided by persons; what is done to them stands in a log of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has claimed anything yet, and of what was decided nobody knows by whom."""
    op.add_column("tasks", sa.Column("person_id", sa.Text(), nullable=False, server_default=""))
    op.add_column("tasks", sa.Column("claimed_until", sa.BigInteger()))
    op.create_table(
        "audit_entries",
        _position("index"),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("action", "subject_id", "partner_id", "person_id", "case_id")
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    for name in ("partner", "person", "case"):
        op.create_index(f"audit_entries_{name}", "audit_entries", [f"{name}_id", "index"])
    op.create_table(
        "audit_nodes",
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "index"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_checkpoints",
        _position("size"),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
    )
    op.create_table(
        "audit_state",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    """What is claimed, or due in another office, waits as it did."""
    for table in ("audit_state", "audit_checkpoints", "audit_nodes", "audit_entries"):
        op.drop_table(table)
    op.execute("UPDATE tasks SET state = 'open' WHERE state IN ('claimed', 'expired', 'escalated')")
    for column in ("claimed_until", "person_id"):
        op.drop_column("tasks", column)


def _position(name: str) -> sa.Column[int]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, number, primary_key=True, autoincrement=False)
