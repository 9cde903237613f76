"""With which version of the registry each partner's entries last changed, so that look-ups forget no other's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLE = "registry_changes"


def upgrade() -> None:
    """An empty table: whoever looks things up starts with nothing remembered, and asks for changes from then on."""
    op.create_table(
        _TABLE,
        sa.Column("partner_id", sa.Text(), primary_key=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("registry_changes_version", _TABLE, ["version"])


def downgrade() -> None:
    """The version before forgets all at each change."""
    op.drop_table(_TABLE)
