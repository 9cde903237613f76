"""What is old may be moved to archives: where it was put, what is held back, and whose each large body is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_OWNERS = (
    ("payloads", "id"),
    ("exhibits", "id"),
    ("deliveries", "id"),
    ("deliveries_done", "id"),
    ("staged_deliveries", "id"),
    ("feed", "document_id"),
)


def upgrade() -> None:
    """Each large body is given its owners; one that has none, which cannot be, stays, as nobody's."""
    op.rename_table("body_files", "older_files")
    op.create_table(
        "body_files",
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "sha256", name="body_files_owned"),
        sqlite_with_rowid=False,
    )
    for table, owner in _OWNERS:
        op.execute(
            f'INSERT INTO body_files (owner_id, sha256) SELECT DISTINCT t."{owner}", t.sha256 FROM "{table}" t '  # noqa: S608
            "JOIN older_files f ON f.sha256 = t.sha256 WHERE true ON CONFLICT DO NOTHING"
        )
    op.execute(
        "INSERT INTO body_files (owner_id, sha256) SELECT '', sha256 FROM older_files f "
        "WHERE NOT EXISTS (SELECT 1 FROM body_files b WHERE b.sha256 = f.sha256)"
    )
    op.drop_table("older_files")
    op.create_index("body_files_sha256", "body_files", ["sha256"])
    op.create_table(
        "holds",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("case_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "archives",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("things", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "archived",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("archive", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """The version before knows neither archives nor owners; what is in archives stays there."""
    for table in ("archived", "archives", "holds"):
        op.drop_table(table)
    op.drop_index("body_files_sha256", "body_files")
    op.rename_table("body_files", "owned_files")
    op.create_table(
        "body_files",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="body_files_listed"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO body_files (sha256) SELECT DISTINCT sha256 FROM owned_files")
    op.drop_table("owned_files")
