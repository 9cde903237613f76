"""Partners are found by grade and where they are not active, and what the registry holds by how its id begins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_NAMED = ("partners", "agreements", "credentials", "persons")


def upgrade() -> None:
    """Indexes alone: what a store holds stays as it is."""
    inactive, graded = sa.text("NOT active"), sa.text("credit_grade <> ''")
    op.create_index("partners_inactive", "partners", ["id"], sqlite_where=inactive, postgresql_where=inactive)
    op.create_index("partners_grade", "partners", ["credit_grade", "id"], sqlite_where=graded, postgresql_where=graded)
    if op.get_bind().dialect.name == "postgresql":
        for table in _NAMED:
            op.create_index(f"{table}_beginnings", table, ["id"], postgresql_ops={"id": "text_pattern_ops"})


def downgrade() -> None:
    """The version before lists partners by id alone."""
    if op.get_bind().dialect.name == "postgresql":
        for table in _NAMED:
            op.drop_index(f"{table}_beginnings", table)
    op.drop_index("partners_grade", "partners")
    op.drop_index("partners_inactive", "partners")
