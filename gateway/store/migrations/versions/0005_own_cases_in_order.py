"""Who takes part in a case, by partner: the cases of one stand side by side, in the order of the cases of a number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLE = "case_partners"


def upgrade() -> None:
    """Put the partner first."""
    _keep_by("partner_id", "case_id")


def downgrade() -> None:
    """Put the case first."""
    _keep_by("case_id", "partner_id")


def _keep_by(*order: str) -> None:
    """The same rows under a key of this order."""
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(f"{_TABLE}_pkey", _TABLE)
        op.create_primary_key(f"{_TABLE}_pkey", _TABLE, list(order))
        return
    op.create_table(
        "new_partners",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(*order),
        sqlite_with_rowid=False,
    )
    first, second = order
    op.execute(
        f"INSERT INTO new_partners (case_id, partner_id) SELECT case_id, partner_id FROM {_TABLE} "  # noqa: S608
        f"ORDER BY {first}, {second}"
    )
    op.drop_table(_TABLE)
    op.rename_table("new_partners", _TABLE)
