"""What senders were answered over transports whose repeats get the same answer to the byte."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An empty table: no transport so far gave such answers."""
    op.create_table(
        "replies",
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("transport_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partner_id", "transport", "transport_id"),
    )


def downgrade() -> None:
    """The version before has no transport that needs them; a repeat is answered anew."""
    op.drop_table("replies")
