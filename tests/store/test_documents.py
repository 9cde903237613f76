"""A document is kept once: a case refers to the message that has it, and has its own where it must."""

from __future__ import annotations

import json
import zlib
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.store import tables
from gateway.store.contract import CaseChange
from gateway.store.sql import pack_json, unpack_json
from gateway.store.sql_store import SqlStore
from tests.store.made import NOW, claim, message, outcome

DOCUMENT = {"goods": [{"name": "红葡萄酒", "quantity": str(n)} for n in range(40)]}
OTHER = {"goods": []}


async def kept(store: SqlStore) -> list[tuple[bool, str]]:
    """Of each document of a case whether it is the case's own, and the message it is kept with."""
    table = tables.case_documents
    query = select(table.c.document, table.c.message_id).order_by(table.c.document_type)
    return [(row.document is not None, row.message_id) for row in await store._read(lambda c: c.execute(query).all())]


async def test_a_document_that_a_case_takes_as_it_is_is_kept_with_the_message(store: SqlStore) -> None:
    """The same document is a reference, a changed one the case's own, and both are read back as they were given."""
    claimed = await claim(store)
    one = message(claimed, case_id="c", document_type="declaration", document=DOCUMENT)
    documents = {"declaration": DOCUMENT, "status": OTHER}
    await store.commit(
        outcome(claimed, messages=(one,), cases=(CaseChange("c", 0, "new", "firm", documents=documents),))
    )
    assert await kept(store) == [(False, one.id), (True, "")]
    assert (await store.case("c"))[0].documents == documents


@pytest.mark.parametrize(
    "fields",
    [
        {"document": OTHER},  # a flow changed it
        {"document_type": "transfer"},
        {"case_id": "another"},  # whose messages are not looked through when that one changes
        {"document": None},
    ],
)
async def test_any_other_document_is_the_cases_own(store: SqlStore, fields: dict[str, object]) -> None:
    """What a message has differently is no document of the case's."""
    claimed = await claim(store)
    given = {"case_id": "c", "document_type": "declaration", "document": DOCUMENT} | fields
    change = CaseChange("c", 0, "new", "firm", documents={"declaration": DOCUMENT})
    another = CaseChange("another", 0, "new", "firm")
    await store.commit(outcome(claimed, messages=(message(claimed, **given),), cases=(change, another)))
    assert await kept(store) == [(True, "")]
    assert (await store.case("c"))[0].documents == {"declaration": DOCUMENT}


async def test_a_message_that_changes_takes_no_document_from_a_case(store: SqlStore) -> None:
    """Processed again by other tables, a message may have another document; what the case keeps stays until it is told."""
    claimed = await claim(store)
    fields = {"case_id": "c", "document_type": "declaration"}
    change = CaseChange("c", 0, "new", "firm", documents={"declaration": DOCUMENT})
    await store.commit(outcome(claimed, messages=(message(claimed, document=DOCUMENT, **fields),), cases=(change,)))
    await store.reopen_payload(claimed.payload.id)
    assert await kept(store) == [(True, "")]
    (again,) = await store.claim_payloads(1, timedelta(seconds=60), NOW)
    await store.commit(outcome(again, messages=(message(claimed, document=OTHER, **fields),)))
    assert (await store.case("c"))[0].documents == {"declaration": DOCUMENT}
    assert (await store.payload(claimed.payload.id)).messages[0].document == OTHER


@pytest.mark.parametrize("value", [{}, {"a": "x"}, DOCUMENT, {"random": "".join(map(chr, range(0x4E00, 0x5200)))}])
def test_json_is_read_as_it_was_packed(value: object) -> None:
    """Packed or not, JSON comes back; packed it is never longer, and what was never packed is read as well."""
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    packed = pack_json(value)
    assert unpack_json(packed) == unpack_json(plain) == value
    assert len(packed) <= len(plain)
    assert packed == plain or zlib.decompress(packed) == plain
