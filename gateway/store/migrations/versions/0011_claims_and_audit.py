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


def downgrade() -> None:
    """What is claimed, or due in another office, waits as it did."""
    op.execute("UPDATE tasks SET state = 'open' WHERE state IN ('claimed', 'expired', 'escalated')")
    for column in ("claimed_until", "person_id"):
        op.drop_column("tasks", column)
