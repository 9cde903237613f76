"""Alerts of one kind and cause are counted in a row of their own until they are settled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_LISTED = {"begun": (), "state": ("state",), "kind": ("kind",), "partner": ("partner_id",)}


def upgrade() -> None:
    """What rang before stays on the feed; nothing of it stands."""
    op.create_table(
        "standing_alerts",
        sa.Column("id", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("kind", "cause")),
        sa.Column("test", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("partner_id", "case_id")),
        sa.Column("times", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("first_at", "last_at", "last")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("state", "by", "said")),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("settled_at", "silent_until")),
    )
    is_open, silent = sa.text("state <> 'settled'"), sa.text("silent_until IS NOT NULL")
    op.create_index(
        "standing_alerts_open",
        "standing_alerts",
        ["kind", "cause", "test"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    for name, columns in _LISTED.items():
        op.create_index(f"standing_alerts_{name}", "standing_alerts", ["test", *columns, "first_at", "id"])
    op.create_index(
        "standing_alerts_silent", "standing_alerts", ["silent_until"], sqlite_where=silent, postgresql_where=silent
    )


def downgrade() -> None:
    """The feed has all of them."""
    op.drop_table("standing_alerts")
