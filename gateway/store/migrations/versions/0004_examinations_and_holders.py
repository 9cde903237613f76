"""How many examinations of a payload were begun without a word of their end; who holds a lease."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what is leased just now is nobody's, and its leases run out."""
    with op.batch_alter_table("inbox") as batch_op:
        batch_op.add_column(sa.Column("begun", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("holder", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("deliveries") as batch_op:
        batch_op.add_column(sa.Column("holder", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("deliveries") as batch_op:
        batch_op.drop_column("holder")
    with op.batch_alter_table("inbox") as batch_op:
        batch_op.drop_column("holder")
        batch_op.drop_column("begun")
