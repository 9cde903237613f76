"""Persons act for partners; a credential may be a person's, and a payload says whose it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NAMED = (("credentials", "person_id"), ("payloads", "person_id"), ("payloads", "role"))


def upgrade() -> None:
    """An empty table of persons: all credentials so far are of partners' systems, which sent all payloads."""
    op.create_table(
        "persons",
        sa.Column("id", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("partner_id", "name", "roles", "language")),
        sa.Column("active", sa.Boolean(), nullable=False),
    )
    op.create_index("persons_partner", "persons", ["partner_id", "id"])
    for table, column in _NAMED:
        op.add_column(table, sa.Column(column, sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """The version before knows partners only. A person's credential would be its partner's there, so it goes."""
    op.execute("DELETE FROM credentials WHERE person_id <> ''")
    for table, column in _NAMED:
        op.drop_column(table, column)
    op.drop_table("persons")
