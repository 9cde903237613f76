"""Partners subscribe to feeds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An empty table: so far whoever wants something of a feed looks itself."""
    op.create_table(
        "subscriptions",
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("push", sa.Boolean(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("partner_id", "name", "test"),
    )
    op.create_index("subscriptions_feed", "subscriptions", ["feed", "test"])


def downgrade() -> None:
    """The version before serves no subscriptions; its readers look at the feeds."""
    op.drop_table("subscriptions")
