"""Credentials of every kind in one table; the API keys move into it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A key's end becomes the end of its validity; nothing else changes for who holds one."""
    op.create_table(
        "credentials",
        sa.Column("id", sa.Text(), primary_key=True),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("partner_id", "kind", "use", "hash", "material", "reference", "scopes")
        ),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("valid_from", "valid_until", "revoked_at")),
    )
    op.execute(
        'INSERT INTO credentials (id, partner_id, kind, "use", hash, material, reference, scopes, test, label, '
        "valid_until) SELECT id, partner_id, 'api_key', 'in', hash, '', '', scopes, test, '', expires_at FROM api_keys"
    )
    op.create_index("credentials_partner", "credentials", ["partner_id", "id"])
    shown = sa.text("use = 'in'")
    op.create_index(
        "credentials_shown", "credentials", ["hash"], unique=True, sqlite_where=shown, postgresql_where=shown
    )
    op.drop_table("api_keys")


def downgrade() -> None:
    """The version before knows API keys only, and an end of each, which one that is revoked has reached."""
    op.create_table(
        "api_keys",
        sa.Column("hash", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
    )
    op.execute(
        "INSERT INTO api_keys (hash, id, partner_id, scopes, test, expires_at) SELECT hash, id, partner_id, scopes, test, "
        "CASE WHEN revoked_at IS NULL OR valid_until <= revoked_at THEN valid_until ELSE revoked_at END "
        "FROM credentials WHERE kind = 'api_key' AND \"use\" = 'in'"
    )
    op.create_index("api_keys_id", "api_keys", ["id"], unique=True)
    op.drop_table("credentials")
