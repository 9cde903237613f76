"""Credentials of every kind in one table, into which the API keys move; deliveries that await their confirmation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the new tables; nothing changes for who holds a key or waits for a delivery."""
    _gather_credentials()
    op.create_table(
        "confirmations",
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("partner_id", "transport", "reference", "delivery_id")
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("verdict", "kind", "detail")),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("partner_id", "transport", "reference"),
    )
    op.create_index("confirmations_delivery", "confirmations", ["delivery_id"])
    _index_some("confirmations_early", "confirmations", ["partner_id", "at"], "delivery_id = ''")
    # The next one of a lane is looked for among those that are not handed over yet.
    op.drop_index("deliveries_lane", "deliveries")
    _index_some("deliveries_lane", "deliveries", ["lane", "sequence"], "state <> 'awaiting'")
    _index_some("deliveries_awaiting", "deliveries", ["due_at"], "state = 'awaiting'")


def _index_some(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    """An index of the rows that fulfil a condition."""
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _gather_credentials() -> None:
    """A key's end becomes the end of its validity."""
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
    _index_some("credentials_shown", "credentials", ["hash"], "use = 'in'", unique=True)
    op.drop_table("api_keys")


def downgrade() -> None:
    """The version before knows API keys only, and an end of each, which one that is revoked has reached.

    What awaits its confirmation is sent again, since that version could not tell when it came.
    """
    op.drop_index("deliveries_awaiting", "deliveries")
    op.drop_index("deliveries_lane", "deliveries")
    op.create_index("deliveries_lane", "deliveries", ["lane", "sequence"])
    op.execute("UPDATE deliveries SET state = 'pending', due_at = 0 WHERE state = 'awaiting'")
    op.execute("UPDATE deliveries SET head = (1 = 0) WHERE head")
    op.execute(
        "UPDATE deliveries SET head = (1 = 1) WHERE sequence IN (SELECT min(sequence) FROM deliveries GROUP BY lane)"
    )
    op.drop_table("confirmations")
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
