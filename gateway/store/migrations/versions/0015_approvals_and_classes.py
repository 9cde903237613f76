"""What an enterprise is approved for, and the classes of its goods, stand beside its credit grade."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody is approved for the direct way until an operator says so, and no goods have a class."""
    op.add_column("partners", sa.Column("direct_through", sa.Text(), nullable=False, server_default=""))
    op.add_column("partners", sa.Column("supervision_classes", sa.Text(), nullable=False, server_default="{}"))


def downgrade() -> None:
    """The version before knows neither."""
    op.drop_column("partners", "supervision_classes")
    op.drop_column("partners", "direct_through")
