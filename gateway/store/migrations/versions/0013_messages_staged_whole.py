"""A message of a large payload is staged whole, as it was examined, in place of the record of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is staged is made anew by whoever takes the payload up again, so none of it is carried over."""
    op.drop_table("staged_messages")
    op.create_table(
        "staged_messages",
        sa.Column("payload_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("payload_id", "number"),
    )


def downgrade() -> None:
    """The table as the version before knows it, empty."""
    op.drop_table("staged_messages")
    text = ("id", "payload_id", "partner_id", "syntax", "format", "reference", "state", "interchange", "document_type")
    more = ("findings", "case_id", "schema_digest", "mapping_digest")
    op.create_table(
        "staged_messages",
        *(sa.Column(name, sa.Text(), nullable=False) for name in (*text, *more)),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.LargeBinary()),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("payload_id", "number"),
    )
