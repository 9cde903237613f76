"""Documents that decisions raise have a row among the messages; evidence is kept; subjects of the registry have versions."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """All messages so far were sent; tasks so far may name evidence that was never here."""
    op.add_column("messages", sa.Column("parent_id", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "exhibits",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("arrival", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("partner_id", "transport_id", "sha256")),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger()),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("device", "person_id")),
        sa.Column("test", sa.Boolean(), nullable=False),
    )
    op.create_index("exhibits_partner", "exhibits", ["partner_id", "test", "id"])
    op.create_index(
        "exhibits_transport_id",
        "exhibits",
        ["partner_id", "transport_id", "test"],
        unique=True,
        sqlite_where=sa.text("transport_id <> ''"),
        postgresql_where=sa.text("transport_id <> ''"),
    )
    op.create_table(
        "task_exhibits",
        sa.Column("exhibit_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Text(), sa.ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False),
        sa.PrimaryKeyConstraint("exhibit_id", "task_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("task_exhibits_task", "task_exhibits", ["task_id"])
    op.create_table(
        "subjects",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("scheme", "value")),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("valid_from", "state", "name")),
        sa.Column("attributes", sa.LargeBinary(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("partner_id", "occasion")),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scheme", "value", "test", "version"),
    )
    _name_evidence_of_tasks()


def _name_evidence_of_tasks() -> None:
    connection = op.get_bind()
    tasks = sa.table("tasks", sa.column("id"), sa.column("evidence"))
    named = sa.table("task_exhibits", sa.column("exhibit_id"), sa.column("task_id"))
    found = connection.execute(sa.select(tasks.c.id, tasks.c.evidence).where(tasks.c.evidence != "[]"))
    rows = [
        {"exhibit_id": exhibit_id, "task_id": task_id}
        for task_id, evidence in found.all()
        for exhibit_id in dict.fromkeys(json.loads(evidence))
    ]
    if rows:
        connection.execute(sa.insert(named), rows)


def downgrade() -> None:
    """What was raised goes: the version before would take it for sent. So does what evidence there is."""
    op.drop_table("subjects")
    op.drop_table("task_exhibits")
    op.drop_table("exhibits")
    op.execute("DELETE FROM messages WHERE parent_id <> ''")
    op.drop_column("messages", "parent_id")
