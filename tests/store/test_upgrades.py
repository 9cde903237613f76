"""A store at any version there ever was, with data of that version in it, is brought to this one: all of it is read, every
receipt is still proven by the log that was signed then, and a backup of it verifies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from gateway.receipt.chain import Frontier, leaf_hash, verify_consistency, verify_inclusion
from gateway.store import migrate, open_store, version
from gateway.store.backup import Place, back_up
from gateway.store.bodies import BodyFiles, content
from gateway.store.examination import examine
from gateway.store.migrations import _config, head
from tests.store.made import ORIGIN, sha256
from tests.store.setting_back import tree_hash
from tests.store.test_migrating_data import AT, LARGE, PAYLOADS, SIGNER, empty_url, fill, insert, write

__all__ = ["empty_url"]

VERSIONS = [script.revision for script in reversed(list(ScriptDirectory.from_config(_config()).walk_revisions()))]
"""All versions, the first one first."""
NEW = "019b76da0000" + "7ed1" + "0" * 16
"""The id of what came when the store was at the version that is tried."""
BODY, BIG = b"what came then", bytes(range(255, -1, -1)) * 400


def put(connection: Connection, table: str, **given: Any) -> None:
    """A row of whatever columns a table has at this version: those given, and nothing in the others."""
    values: dict[str, Any] = {}
    for column in inspect(connection).get_columns(table):
        name, kind = column["name"], str(column["type"])
        if name in given:
            values[name] = given[name]
        elif not column["nullable"] and column["default"] is None:
            values[name] = False if kind == "BOOLEAN" else 0 if "INT" in kind else ""
    insert(connection, table, **values)


def go_on_at(connection: Connection, revision: str) -> None:
    """Bring the store of the first version to `revision`, and let it take in a payload there, with what came of it."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    put(connection, "payloads", id=NEW, arrival=len(PAYLOADS), partner_id="firm", transport="http", sha256=sha256(BODY),
        size=len(BODY), received_at=AT, state="accepted" if revision > "0001" else "processed", fence=1)  # fmt: skip
    put(connection, "bodies", sha256=sha256(BODY), key=sha256(BODY), body=BODY, packed=False)
    put(connection, "messages", id=f"{NEW}-1", payload_id=NEW, number=1, partner_id="firm", syntax="edifact", state="accepted",
        at=AT, findings="[]", case_id="case")  # fmt: skip
    put(connection, "deliveries_done", id=f"{NEW}-d", sequence=3, payload_id=NEW, partner_id="customs", lane="l",
        kind="document", document_type="declaration", format="json:x:1", sha256=sha256(BIG), message_id=f"{NEW}-1",
        case_id="case", state="delivered", attempts=1, fence=1, finished_at=AT)  # fmt: skip
    if "body_files" in inspect(connection).get_table_names():
        put(connection, "body_files", sha256=sha256(BIG), owner_id=f"{NEW}-d")
    frontier = Frontier()
    frontier.append(leaf_hash(id_.encode()) for id_ in PAYLOADS)
    for stage, subject in (("received", NEW), ("checked", f"{NEW}-1"), ("delivered", f"{NEW}-d")):
        put(connection, "receipts", index=frontier.size, stage=stage, subject_id=subject, body=subject.encode())
        for level, index, value in frontier.append([leaf_hash(subject.encode())]):
            put(connection, "tree_nodes", level=level, index=index, hash=value)
    note = SIGNER.checkpoint(frontier.size, frontier.root())
    put(connection, "checkpoints", size=frontier.size, origin=ORIGIN, note=note)
    connection.exec_driver_sql("DELETE FROM log_state")
    put(connection, "log_state", id=1, origin=ORIGIN, frontier=frontier.to_bytes())


LEAVES = [*(id_.encode() for id_ in PAYLOADS), NEW.encode(), f"{NEW}-1".encode(), f"{NEW}-d".encode()]


@pytest.fixture(params=VERSIONS)
def revision(request: pytest.FixtureRequest) -> str:
    """Each version in turn."""
    return request.param  # type: ignore[no-any-return]


async def test_a_store_of_every_version_is_brought_to_this_one(empty_url: str, revision: str, tmp_path: Path) -> None:
    """What the first version wrote, and what this one did after it, is read; each receipt verifies, and a backup does."""
    await write(empty_url, fill)
    await write(empty_url, lambda connection: go_on_at(connection, revision))
    files = BodyFiles(tmp_path / "payloads")
    for body in (LARGE, BIG):
        files.keep(sha256(body), body)
    assert await asyncio.to_thread(migrate, empty_url) == version(empty_url) == head()
    store = open_store(empty_url, signer=SIGNER, payload_folder=tmp_path / "payloads", anchor_file=tmp_path / "anchor")
    await store.open()
    try:
        assert (store.alert, store.origin) == ("", ORIGIN)
        assert content(await store.original(NEW)) == BODY
        assert (await store.delivery(f"{NEW}-d")).body == BIG
        assert {one.id for one in (await store.payload(NEW)).messages} == {f"{NEW}-1"}
        assert (await store.original("empty")).size == 1
        assert await store.sweep(0) == 0, "a body that something mentions was taken for nobody's"
        root = tree_hash(LEAVES)
        for index, leaf in enumerate(LEAVES):
            proven = await store.proven(index)
            assert proven.receipt.body == leaf
            assert verify_inclusion(leaf_hash(leaf), index, len(LEAVES), proven.proof, root)
        signed_first = len(PAYLOADS)
        proof, note = await store.consistency(signed_first)
        assert SIGNER.verifier.checkpoint(note).root == root
        assert verify_consistency(signed_first, len(LEAVES), proof, tree_hash(LEAVES[:signed_first]), root)
    finally:
        await store.close()
    place = Place(empty_url, tmp_path / "payloads", tmp_path / "anchor")
    made = await asyncio.to_thread(back_up, place, SIGNER, tmp_path / "backup.tar", said={})
    examined = examine(made.path, SIGNER.vkey)
    assert (examined.faults, examined.entries, made.lost) == ([], len(LEAVES), [])
