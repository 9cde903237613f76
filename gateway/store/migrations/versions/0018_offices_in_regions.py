"""Inspection offices stand on a level below another one, and are members of regions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No office is a member of a region until an operator says so."""
    op.add_column("partners", sa.Column("regions", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("partners", sa.Column("level", sa.Text(), nullable=False, server_default=""))
    op.add_column("partners", sa.Column("parent", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """The version before knows no regions."""
    op.drop_column("partners", "parent")
    op.drop_column("partners", "level")
    op.drop_column("partners", "regions")
