"""Credentials are found by when they end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index over those that end; most keys never do."""
    ends = sa.text("valid_until IS NOT NULL")
    op.create_index(
        "credentials_ending", "credentials", ["valid_until", "id"], sqlite_where=ends, postgresql_where=ends
    )


def downgrade() -> None:
    """The version before never looks for them."""
    op.drop_index("credentials_ending", "credentials")
