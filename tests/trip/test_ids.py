"""What a payload comes to has ids that begin with its time, wherever it is kept."""

from __future__ import annotations

from pathlib import Path

from gateway.store import tables
from tests.trip.rig import declaration, house

KEPT = {
    "messages": "id",
    "cases": "id",
    "case_keys": "case_id",
    "deliveries": "id",
    "feed": "document_id",
    "receipts": "subject_id",
    "bodies": "key",
    "waits": "id",
}


async def test_all_ids_of_a_payload_stand_together(tmp_path: Path, migrated: Path) -> None:
    """Messages, cases, deliveries, entries and bodies sort by when their payload came."""
    async with house(tmp_path, migrated) as gateway:
        accepted = await gateway.send(declaration("IDS"))
        await gateway.work()
        for table, column in KEPT.items():
            values = await gateway.store._read(
                lambda connection, t=table, c=column: connection.exec_driver_sql(f"SELECT {c} FROM {t}").scalars().all()
            )
            assert values or table == "waits", table
            assert {value[:12] for value in values} <= {accepted.payload_id[:12]}, table
    assert set(KEPT) <= set(tables.metadata.tables)
