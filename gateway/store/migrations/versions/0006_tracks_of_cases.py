"""Cases have a kind, and stand on several tracks at once; the one status they had says where."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PIECE = 1_000
"""Cases that are carried over at once."""
_LEFT = "status_left"
"""Under this name a case kept where it stood when it was asked for a change or a withdrawal."""


def upgrade() -> None:
    """Add both columns, and derive the tracks of every case."""
    op.add_column("cases", sa.Column("kind", sa.Text(), nullable=False, server_default="consignment"))
    op.add_column("cases", sa.Column("standing", sa.Text(), nullable=False, server_default="{}"))
    connection = op.get_bind()
    cases = sa.table("cases", sa.column("id"), sa.column("status"), sa.column("standing"))
    documents = sa.table("case_documents", sa.column("case_id"), sa.column("document_type"), sa.column("document"))
    last = ""
    while rows := connection.execute(
        sa.select(cases.c.id, cases.c.status).where(cases.c.id > last).order_by(cases.c.id).limit(_PIECE)
    ).all():
        last = rows[-1].id
        held: dict[str, dict[str, Any]] = defaultdict(dict)
        # The documents themselves stay where they are; only what was left is read.
        text = sa.case((documents.c.document_type == _LEFT, documents.c.document), else_=None).label("text")
        of_these = documents.c.case_id.in_([row.id for row in rows])
        for one in connection.execute(sa.select(documents.c.case_id, documents.c.document_type, text).where(of_these)):
            held[one.case_id][one.document_type] = one.text
        connection.execute(
            sa.update(cases).where(cases.c.id == sa.bindparam("of")).values(standing=sa.bindparam("now")),
            [{"of": row.id, "now": json.dumps(standing(row.status, held[row.id]))} for row in rows],
        )
    connection.execute(sa.delete(documents).where(documents.c.document_type == _LEFT))


def downgrade() -> None:
    """Forget the tracks; the status stands in a column of its own."""
    op.drop_column("cases", "standing")
    op.drop_column("cases", "kind")


def standing(status: str, documents: dict[str, Any]) -> dict[str, object]:
    """The tracks of a case that stood at `status`; by type, the documents it has say how it came there."""
    declared = {"declared", "in_review", "refused", "amending", "cancelling", "cancelled"}
    tracks: dict[str, object] = {"declaration": status if status in declared else "accepted"}
    inspection = {"inspecting": "ordered", "released": "passed", "failed": "failed"}
    if status in inspection:
        tracks["inspection"] = inspection[status]
    if status in ("amending", "cancelling"):
        left = _left(documents.get(_LEFT))
        before = left.get(status, "")
        if before == "amending":
            tracks["declaration"] = [status, before]
            before = left.get("amending", "")
        if before in inspection:
            tracks["inspection"] = inspection[before]
    if status in ("transferred", "notified", "held", "cleared"):
        # A transfer or a notice said by itself that the goods had passed.
        tracks["inspection"] = "passed"
        if "transfer" in documents:
            declined = status == "held" and "clearance" not in documents
            tracks["transfer"] = "declined" if declined else "sent"
    elif status == "released" and "transfer" in documents:
        tracks["transfer"] = "withdrawn"
    clearance = {"notified": "notified", "held": "mismatched", "cleared": "released", "released": "withdrawn"}
    if status in clearance and "clearance" in documents:
        tracks["clearance"] = clearance[status]
    return tracks


def _left(kept: bytes | str | None) -> dict[str, str]:
    """What a case kept of where it stood: JSON, perhaps deflated."""
    if not kept:
        return {}
    value = kept.encode() if isinstance(kept, str) else bytes(kept)
    found: dict[str, str] = json.loads(zlib.decompress(value) if value[:1] in (b"\x48", b"\x78") else value)
    return found
