"""Endpoints with trouble have rows of their own, attempts say what was sent and answered, deliveries why they are held."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was held until now was held because the store was set back."""
    op.create_table(
        "endpoints",
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("stop", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("partner_id", "transport", "address"),
    )
    op.add_column("attempts", sa.Column("transcript", sa.LargeBinary(), nullable=True))
    op.add_column("deliveries", sa.Column("held_for", sa.Text(), nullable=False, server_default=""))
    op.execute("UPDATE deliveries SET held_for = 'set_back' WHERE state = 'held'")


def downgrade() -> None:
    """Attempts lose what they say of the wire, and what an agreement holds looks as if the store had been set back."""
    op.drop_column("deliveries", "held_for")
    op.drop_column("attempts", "transcript")
    op.drop_table("endpoints")
