"""Documents that decisions raise have a row among the messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """All messages so far were sent."""
    op.add_column("messages", sa.Column("parent_id", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """What was raised goes: the version before would take it for sent."""
    op.execute("DELETE FROM messages WHERE parent_id <> ''")
    op.drop_column("messages", "parent_id")
