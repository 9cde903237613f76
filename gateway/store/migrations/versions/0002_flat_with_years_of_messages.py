"""Indexes that find by all they are asked, what lists filter by, and each document and narrow row kept once.

What is there stays readable: bodies keep the digest they are called by, documents stay as they are or become references
to the message that has the same one, and payloads that were processed get the state their messages give them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEYED = (
    "interchanges",
    "case_partners",
    "ledger_moves",
    "reservations",
    "attempts",
    "answers",
    "tree_nodes",
)
"""Tables that SQLite keeps in the order of their key from now on."""

_VERDICT = """(
    SELECT CASE WHEN count(*) = 0 THEN '{none}' WHEN min(m.state) = max(m.state) THEN min(m.state) ELSE 'partly_accepted' END
    FROM messages m WHERE m.payload_id = {payload} AND m.number <= {last})"""
"""What messages of a payload are, all together."""
_ALL = 2**31 - 1

_DELIVERIES = ("deliveries", "deliveries_done")
_OWNERS = ("payloads", "deliveries", "deliveries_done", "staged_deliveries", "feed")


def upgrade() -> None:
    """Go forward."""
    _bodies()
    _cases()
    _payloads()
    _deliveries()
    _feed()
    for table, owner, owners in (("case_keys", "case_id", "cases"), ("wait_keys", "wait_id", "waits")):
        _keys(table, owner, owners)
    if op.get_bind().dialect.name == "sqlite":
        for table in _KEYED:
            with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_with_rowid": False}):
                pass
        for table, column in (("receipts", "index"), ("checkpoints", "size")):
            with op.batch_alter_table(table, recreate="always") as batch:
                batch.alter_column(
                    column, existing_type=sa.BigInteger(), type_=sa.Integer(), existing_nullable=False, nullable=False
                )


def _bodies() -> None:
    op.create_table(
        "body_files",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
        sqlite_with_rowid=False,
    )
    for owner in _OWNERS:
        # A body that is no row is a file.
        op.execute(
            f"INSERT INTO body_files (sha256) SELECT DISTINCT o.sha256 FROM {owner} o "  # noqa: S608 - names are ours, here and below
            "WHERE NOT EXISTS (SELECT 1 FROM bodies b WHERE b.sha256 = o.sha256) "
            "AND NOT EXISTS (SELECT 1 FROM body_files f WHERE f.sha256 = o.sha256)"
        )
    op.execute('ALTER TABLE bodies RENAME COLUMN sha256 TO "key"')
    op.add_column("bodies", sa.Column("packed", sa.Boolean(), nullable=False, server_default=sa.false()))


def _cases() -> None:
    op.add_column("case_documents", sa.Column("message_id", sa.Text(), nullable=False, server_default=""))
    op.execute(
        "UPDATE case_documents SET message_id = coalesce((SELECT m.id FROM messages m "
        "WHERE m.case_id = case_documents.case_id AND m.document_type = case_documents.document_type "
        "AND m.document = case_documents.document ORDER BY m.at DESC, m.id DESC LIMIT 1), '')"
    )
    _to_bytes("case_documents", nullable=True)
    op.execute("UPDATE case_documents SET document = NULL WHERE message_id <> ''")
    _to_bytes("messages", nullable=True)
    _to_bytes("staged_messages", nullable=True)
    _create_index("messages_failed", "messages", ["payload_id", "number"], where="state = 'failed'")
    op.drop_index("messages_case", "messages")
    _create_index("messages_case", "messages", ["case_id", "at", "number"], where="case_id <> ''")


def _to_bytes(table: str, *, nullable: bool) -> None:
    """The column of a document from text to bytes."""
    with op.batch_alter_table(table) as batch:
        batch.alter_column(
            "document",
            existing_type=sa.Text(),
            type_=sa.LargeBinary(),
            nullable=nullable,
            postgresql_using="convert_to(document, 'UTF8')",
        )


def _keys(table: str, owner: str, owners: str) -> None:
    """Keys by value, live or test, and the owner: so the newest owners of a value are found without looking at all."""
    order = ("value", "test", owner, "kind")
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(f"{table}_pkey", table)
        op.create_primary_key(f"{table}_pkey", table, list(order))
        return
    op.create_table(
        "new_keys",
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column(owner, sa.Text(), nullable=False),
        sa.ForeignKeyConstraint([owner], [f"{owners}.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(*order),
        sqlite_with_rowid=False,
    )
    op.execute(f"INSERT INTO new_keys SELECT value, kind, test, {owner} FROM {table}")  # noqa: S608
    op.drop_table(table)
    op.rename_table("new_keys", table)
    op.create_index(f"{table}_{owners.removesuffix('s')}", table, [owner])


def _payloads() -> None:
    op.execute(
        f"UPDATE payloads SET state = {_VERDICT.format(none='rejected', payload='payloads.id', last=_ALL)} "  # noqa: S608
        "WHERE state = 'processed'"
    )
    for index in ("payloads_arrival", "payloads_partner", "payloads_state"):
        op.drop_index(index, "payloads")
    op.create_index("payloads_arrival", "payloads", ["test", "arrival"], unique=True)
    op.create_index("payloads_partner", "payloads", ["partner_id", "test", "arrival"])
    op.create_index("payloads_state", "payloads", ["test", "state", "arrival"])
    op.create_index("payloads_partner_state", "payloads", ["partner_id", "test", "state", "arrival"])
    op.add_column("inbox", sa.Column("partner_id", sa.Text(), nullable=False, server_default=""))
    op.add_column("inbox", sa.Column("test", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("inbox", sa.Column("verdict", sa.Text(), nullable=False, server_default=""))
    for column in ("partner_id", "test"):
        op.execute(
            f"UPDATE inbox SET {column} = (SELECT p.{column} FROM payloads p WHERE p.id = inbox.payload_id)"  # noqa: S608
        )
    verdict = _VERDICT.format(none="", payload="inbox.payload_id", last="inbox.position")
    op.execute(f"UPDATE inbox SET verdict = {verdict} WHERE position > 0")  # noqa: S608
    op.create_index("inbox_partner", "inbox", ["partner_id", "test", "arrival"])


def _deliveries() -> None:
    for table in _DELIVERIES:
        for index in ("case", "payload", "reference"):
            op.drop_index(f"{table}_{index}", table)
        op.create_index(f"{table}_partner", table, ["partner_id", "sequence"])
        op.create_index(f"{table}_partner_state", table, ["partner_id", "state", "sequence"])
        op.create_index(f"{table}_case", table, ["case_id", "sequence"])
        op.create_index(f"{table}_case_partner", table, ["case_id", "partner_id", "document_type", "sequence"])
        op.create_index(f"{table}_payload", table, ["payload_id", "message_id"])
        _create_index(f"{table}_reference", table, ["partner_id", "reference", "sequence"], where="reference <> ''")
    for owner in ("partner", "agreement"):
        _create_index(f"deliveries_due_{owner}", "deliveries", [f"{owner}_id", "due_at"], where="head")
    op.create_index("deliveries_done_sequence", "deliveries_done", ["sequence"])
    op.drop_index("staged_deliveries_payload", "staged_deliveries")
    op.create_index("staged_deliveries_payload", "staged_deliveries", ["payload_id", "message_id"])


def _feed() -> None:
    op.drop_index("feed_message", "feed")
    _create_index("feed_message", "feed", ["feed", "message_id"], where="feed = 'inbox'")


def _create_index(name: str, table: str, columns: list[str], *, where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
