"""A store that an earlier version filled is read after its migration as it was before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection

from gateway.catalogue_folders import shipped
from gateway.check import rulebook
from gateway.decide.facts import CaseById, Facts, NextNumber
from gateway.model import (
    Credential,
    CredentialKind,
    CredentialUse,
    DeliveryState,
    InterchangeRef,
    PayloadState,
    Syntax,
    Terms,
)
from gateway.receipt.chain import Frontier, leaf_hash
from gateway.receipt.signed import Signer
from gateway.store import migrate, open_store
from gateway.store.bodies import BodyFiles
from gateway.store.contract import Outcome, Standing
from gateway.store.database import connect
from gateway.store.migrations import _config
from gateway.store.sql import from_time
from tests.store.databases import database_url, on_server
from tests.store.made import LEASE, NOW, ORIGIN, sha256

SIGNER = Signer(ORIGIN, bytes(range(32)))
BODY, LARGE = b"a small body", bytes(range(256)) * 400
DOCUMENT, OLDER = {"number": "1", "name": "红"}, {"number": "0"}
AT = 1_767_225_600_000_000


def to_first(connection: Connection) -> None:
    """The tables of the first version."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


def insert(connection: Connection, table: str, **values: Any) -> None:
    columns = ", ".join(f'"{name}"' for name in values)
    sqlite = connection.dialect.name == "sqlite"
    places = ", ".join("?" if sqlite else f"${n}" for n in range(1, len(values) + 1))
    connection.exec_driver_sql(f'INSERT INTO "{table}" ({columns}) VALUES ({places})', tuple(values.values()))


PAYLOADS = {
    # id: (state, states of its messages, what that is)
    "accepted": ("processed", ["accepted", "accepted"], Standing.ACCEPTED),
    "differing": ("processed", ["accepted", "held"], Standing.PARTLY_ACCEPTED),
    "rejected": ("processed", ["rejected"], Standing.REJECTED),
    "empty": ("processed", [], Standing.REJECTED),
    "failed": ("failed", [], Standing.FAILED),
    "begun": ("received", ["held"], Standing.RECEIVED),
    "reopened": ("received", ["accepted"], Standing.RECEIVED),
    "waiting": ("received", [], Standing.RECEIVED),
}


def fill(connection: Connection) -> None:
    """What the first version wrote."""
    to_first(connection)
    insert(connection, "bodies", sha256=sha256(BODY), body=BODY)
    frontier = Frontier()
    for arrival, (id_, (state, states, _)) in enumerate(PAYLOADS.items()):
        large = id_ == "empty"
        insert(
            connection, "payloads", id=id_, arrival=arrival, partner_id="firm", transport="http",
            transport_id=f"t-{id_}" if arrival % 2 else "", sha256=sha256(LARGE if large else BODY), size=1, received_at=AT,
            content_type="", filename="", test=False, state=state, failed="why" if state == "failed" else "", fence=1,
        )  # fmt: skip
        insert(connection, "receipts", index=arrival, stage="received", subject_id=id_, body=id_.encode())
        for level, index, value in frontier.append([leaf_hash(id_.encode())]):
            insert(connection, "tree_nodes", level=level, index=index, hash=value)
        if state == "received":
            insert(
                connection, "inbox", payload_id=id_, arrival=arrival, fence=1, lease_until=0,
                position=1 if id_ == "begun" else 0, received_at=AT,
            )  # fmt: skip
        for number, is_ in enumerate(states, 1):
            insert(
                connection, "messages", id=f"{id_}-{number}", payload_id=id_, number=number, partner_id="firm",
                syntax="edifact", format="f", reference=f"R{number}", state=is_, at=AT + arrival, interchange="I",
                document_type="declaration", document=json.dumps(DOCUMENT, ensure_ascii=False) if number == 1 else None,
                findings='[{"code":"edi.x","severity":"error","place":{"message":"","segment":3,"tag":"CST","element":null,'
                '"component":null,"repetition":null,"path":"","line":null},"value":"v","args":{"max":"3"}}]',
                case_id="case", test=False, schema_digest="s", mapping_digest="m",
            )  # fmt: skip
    insert(
        connection,
        "checkpoints",
        size=frontier.size,
        origin=ORIGIN,
        note=SIGNER.checkpoint(frontier.size, frontier.root()),
    )
    insert(connection, "log_state", id=1, origin=ORIGIN, frontier=frontier.to_bytes())
    insert(connection, "cases", id="case", version=3, status="declared", partner_id="firm", test=False)
    for kind, value in (("bill", "B1"), ("container", "C1")):
        insert(connection, "case_keys", value=value, kind=kind, test=False, case_id="case")
    for document_type, document in (("declaration", DOCUMENT), ("transfer", OLDER)):
        kept = json.dumps(document, ensure_ascii=False)
        insert(connection, "case_documents", case_id="case", document_type=document_type, document=kept)
    insert(connection, "case_partners", case_id="case", partner_id="firm")
    insert(
        connection, "case_events", case_id="case", at=AT, kind="opened", text="", partner_id="firm", message_id="",
        delivery_id="", details="{}",
    )  # fmt: skip
    insert(
        connection, "waits", id="wait", document_type="manifest", keys='[["bill","B2"]]', document="{}", message_id="m",
        partner_id="firm", test=False,
    )  # fmt: skip
    insert(connection, "wait_keys", value="B2", kind="bill", test=False, wait_id="wait")
    insert(
        connection, "interchanges", sender="s", recipient="r", reference="I", syntax="edifact", test=False, at=AT,
        payload_id="accepted",
    )  # fmt: skip
    common: dict[str, Any] = {
        "payload_id": "accepted", "partner_id": "customs", "agreement_id": "a", "lane": "customs:case", "kind": "document",
        "document_type": "declaration", "format": "json:x:1", "message_id": "accepted-1", "case_id": "case",
        "reference": "", "test": False, "attempts": 1, "next_at": None, "fence": 1, "last_error": "",
    }  # fmt: skip
    insert(
        connection,
        "deliveries_done",
        id="done",
        sequence=1,
        sha256=sha256(LARGE),
        state="delivered",
        finished_at=AT,
        **common,
    )
    insert(
        connection,
        "deliveries",
        id="hot",
        sequence=2,
        sha256=sha256(BODY),
        state="dead",
        head=True,
        due_at=None,
        **common,
    )
    insert(
        connection, "attempts", delivery_id="done", number=1, started_at=AT, ended_at=AT, outcome="delivered", detail=""
    )
    insert(connection, "answers", delivery_id="done", at=AT)
    insert(
        connection, "feed", feed="inbox", test=False, sequence=1, partner_id="firm", document_type="x", document_id="x",
        sha256=sha256(BODY), keys="{}", format="json", message_id="accepted-1", case_id="case", at=AT,
    )  # fmt: skip
    for name, value in (("deliveries", 2), ("feed:live:inbox", 1), ("number:live:x", 7)):
        insert(connection, "counters", name=name, value=value)
    insert(connection, "reservations", for_id="accepted-1", counter="number:live:x", value=7)
    insert(connection, "reservations", for_id="nobody", counter="number:live:x", value=6)
    insert(connection, "ledgers", name="quota", test=False, balance="7.25", version=3)
    for message_id, amount in (("m1", "10.00"), ("m2", "-2.5"), ("m3", "-0.25")):
        insert(connection, "ledger_moves", ledger="quota", test=False, message_id=message_id, amount=amount)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'gateway.db'}"
        return
    template: str = request.getfixturevalue("migrated_database")
    if not template:
        pytest.skip("no PostgreSQL at GATEWAY_TEST_POSTGRES")
    name = f"{template}_first"
    asyncio.run(on_server(f'CREATE DATABASE "{name}"'))
    yield database_url(name)
    asyncio.run(on_server(f'DROP DATABASE "{name}" WITH (FORCE)'))


async def write(url: str, work: Any) -> None:
    database = connect(url)
    await database.write(work)
    await database.close()


async def test_what_the_first_version_kept_is_read_as_it_was(empty_url: str, tmp_path: Path) -> None:
    """States, documents, bodies, the log and its proofs, cases and deliveries; and what was under way goes on."""
    await write(empty_url, fill)
    files = BodyFiles(tmp_path / "payloads")
    files.keep(sha256(LARGE), LARGE)
    await asyncio.to_thread(migrate, empty_url)
    store = open_store(empty_url, signer=SIGNER, payload_folder=tmp_path / "payloads", anchor_file=None)
    await store.open()
    try:
        assert store.alert == ""
        lines = {line.payload.id: line.standing for line in await store.payloads("firm", "", "", 99)}
        assert lines == {id_: standing for id_, (_, _, standing) in PAYLOADS.items()}
        view = await store.payload("accepted")
        assert [one.document for one in view.messages] == [DOCUMENT, None]
        assert (view.messages[0].findings[0].place.segment, view.messages[0].findings[0].args) == (3, {"max": "3"})
        assert view.payload.body == BODY
        assert [(one.id, one.body) for one in view.deliveries] == [("done", LARGE), ("hot", BODY)]
        assert [one.body for one in view.offered] == [BODY]
        assert (await store.payload("empty")).payload.body == LARGE
        for index, id_ in enumerate(PAYLOADS):
            proven = await store.proven(index)
            assert (proven.receipt.body, proven.size) == (id_.encode(), len(PAYLOADS))
        (case,) = await store.case("C1")
        assert [one.id for one in await store.case("C1", "firm")] == ["case"]
        assert await store.case("C1", "other") == []
        assert case.documents == {"declaration": DOCUMENT, "transfer": OLDER}
        assert case.keys == {("bill", "B1"), ("container", "C1")}
        assert [one.outcome for one in case.attempts] == ["delivered"]
        assert (await store.sent_delivery("case", "customs", "declaration")).id == "done"  # type: ignore[union-attr]
        ref = InterchangeRef(Syntax.EDIFACT, "s", "r", "I")
        assert await store.find_interchange(ref, 9999 * LEASE, NOW, "other") == ""
        assert await store.sweep(0) == 0
        # One that had committed its first message is held by that one whatever its last is; one reopened starts anew.
        held = {one.payload.id: one for one in await store.claim_payloads(9, LEASE, NOW)}
        assert set(held) == {"begun", "reopened", "waiting"}
        assert await store.earlier_undecided("waiting")
        for one in held.values():
            await store.commit(Outcome(one.work, 2, finished=True))
        states = [(await store.payload(id_)).standing for id_ in ("begun", "reopened", "waiting")]
        assert states == [Standing.HELD, Standing.REJECTED, Standing.REJECTED]
        assert (await store.payload("begun")).state is PayloadState.PROCESSED
        await store.retry_delivery("hot", NOW)
        (claimed,) = await store.claim_deliveries(9, LEASE, NOW)
        assert (claimed.id, claimed.body, claimed.state) == ("hot", BODY, DeliveryState.SENDING)
    finally:
        await store.close()


async def test_a_case_keeps_once_what_a_message_has(empty_url: str) -> None:
    """After the migration an equal document is a reference to its message, and no other is."""
    await write(empty_url, fill)
    await asyncio.to_thread(migrate, empty_url)
    database = connect(empty_url)
    rows = await database.read(
        lambda c: c.exec_driver_sql(
            "SELECT document_type, document IS NULL AS taken, message_id FROM case_documents ORDER BY document_type"
        ).all()
    )
    await database.close()
    assert [tuple(row) for row in rows] == [("declaration", True, "reopened-1"), ("transfer", False, "")]


async def test_a_balance_is_an_account_without_terms_afterwards(empty_url: str, tmp_path: Path) -> None:
    """What was added is granted, what was drawn is used, an entry a message; an earlier version finds the balance again."""
    await write(empty_url, fill)
    await asyncio.to_thread(migrate, empty_url)
    store = open_store(empty_url, signer=SIGNER, payload_folder=tmp_path / "payloads", anchor_file=None)
    await store.open()
    try:
        account = await store.account("quota")
        assert account is not None
        assert (account.version, account.granted, account.used, account.draws) == (3, 10, Decimal("2.75"), 2)
        assert (account.available, account.terms, account.unit, account.holder) == (Decimal("7.25"), Terms(), "", "")
        entries = {one.id: (one.state.value, one.granted, one.used) for one in await store.entries("quota", "", 9)}
        assert entries == {
            "m1": ("granted", 10, 0),
            "m2": ("used", 0, Decimal("2.5")),
            "m3": ("used", 0, Decimal("0.25")),
        }
    finally:
        await store.close()

    def back(connection: Connection) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0009")
        balances = connection.exec_driver_sql("SELECT name, balance, version FROM ledgers")
        moves = connection.exec_driver_sql("SELECT message_id, amount FROM ledger_moves ORDER BY message_id")
        return [tuple(row) for row in balances], [tuple(row) for row in moves]

    database = connect(empty_url)
    balances, moves = await database.write(back)
    await database.close()
    assert balances == [("quota", "7.25", 3)]
    assert moves == [("m1", "10.00"), ("m2", "-2.5"), ("m3", "-0.25")]


async def test_numbers_given_out_stay_with_what_they_are_for(empty_url: str, tmp_path: Path) -> None:
    """A number of an earlier version is its message's case's; asked again for that, it is the same."""
    await write(empty_url, fill)
    await asyncio.to_thread(migrate, empty_url)
    store = open_store(empty_url, signer=SIGNER, payload_folder=tmp_path / "payloads", anchor_file=None)
    await store.open()
    try:
        for for_id, slot, number in (("accepted-1", "case", 7), ("nobody", "", 6), ("accepted-1", "other", 8)):
            asked = NextNumber("x", slot)
            assert (await store.facts([asked], Facts(), for_id))[asked] == number
    finally:
        await store.close()


API_KEYS = [
    # id, hash, scopes, test, when it expires
    ("k1", "a" * 64, ["read", "send"], False, None),
    ("k2", "b" * 64, ["admin"], True, AT),
]


async def test_api_keys_are_credentials_afterwards(empty_url: str, tmp_path: Path) -> None:
    """Each key opens what it opened, under its id, until it expires; an earlier version finds it again, and its end."""

    def earlier(connection: Connection) -> None:
        to_first(connection)
        for id_, hash_, scopes, test, expires_at in API_KEYS:
            kept = json.dumps(scopes)
            insert(
                connection, "api_keys", hash=hash_, id=id_, partner_id="firm", scopes=kept, test=test, expires_at=expires_at
            )  # fmt: skip

    await write(empty_url, earlier)
    await asyncio.to_thread(migrate, empty_url)
    store = open_store(empty_url, signer=SIGNER, payload_folder=tmp_path / "payloads", anchor_file=None)
    await store.open()
    try:
        for id_, hash_, scopes, test, expires_at in API_KEYS:
            until = None if expires_at is None else from_time(expires_at)
            expected = Credential(id_, "firm", hash_, frozenset(scopes), test, valid_until=until)
            assert await store.shown_credential(hash_) == expected
        await store.revoke_credential("k1", from_time(AT + 1))
        token = Credential("t", "firm", kind=CredentialKind.TOKEN, use=CredentialUse.OUT, reference="env:T")
        await store.import_partners([], [], [token])
    finally:
        await store.close()

    def back(connection: Connection) -> list[tuple[Any, ...]]:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0007")
        rows = connection.exec_driver_sql("SELECT id, hash, scopes, test, expires_at FROM api_keys ORDER BY id")
        return [(row.id, row.hash, json.loads(row.scopes), bool(row.test), row.expires_at) for row in rows]

    database = connect(empty_url)
    found = await database.write(back)
    await database.close()
    assert found == [(*API_KEYS[0][:4], AT + 1), API_KEYS[1]]


STOOD: list[tuple[str, dict[str, object], dict[str, str], dict[str, str]]] = [
    # (status of old, documents of old, tracks now, states left for them)
    ("in_review", {}, {"declaration": "in_review"}, {}),
    ("cancelled", {}, {"declaration": "cancelled"}, {}),
    ("accepted", {}, {"declaration": "accepted"}, {}),
    ("inspecting", {}, {"declaration": "accepted", "inspection": "ordered"}, {}),
    ("failed", {}, {"declaration": "accepted", "inspection": "failed"}, {}),
    ("released", {}, {"declaration": "accepted", "inspection": "passed"}, {}),
    (
        "released",
        {"transfer": {}, "clearance": {}},
        {"declaration": "accepted", "inspection": "passed", "transfer": "withdrawn", "clearance": "withdrawn"},
        {},
    ),
    ("transferred", {"transfer": {}}, {"declaration": "accepted", "inspection": "passed", "transfer": "sent"}, {}),
    # Held because the port's bureau declined the transfer, or because customs' data differs.
    ("held", {"transfer": {}}, {"declaration": "accepted", "inspection": "passed", "transfer": "declined"}, {}),
    (
        "held",
        {"transfer": {}, "clearance": {}},
        {"declaration": "accepted", "inspection": "passed", "transfer": "sent", "clearance": "mismatched"},
        {},
    ),
    ("notified", {"clearance": {}}, {"declaration": "accepted", "inspection": "passed", "clearance": "notified"}, {}),
    ("cleared", {"clearance": {}}, {"declaration": "accepted", "inspection": "passed", "clearance": "released"}, {}),
    # Asked for a change or a withdrawal, it stands where it stood, and returns there.
    ("amending", {"status_left": {"amending": "inspecting"}}, {"declaration": "amending", "inspection": "ordered"}, {}),
    (
        "cancelling",
        {"status_left": {"cancelling": "released"}},
        {"declaration": "cancelling", "inspection": "passed"},
        {},
    ),
    (
        "cancelling",
        {"status_left": {"amending": "inspecting", "cancelling": "amending"}},
        {"declaration": "cancelling", "inspection": "ordered"},
        {"declaration": "amending"},
    ),
    ("cancelling", {}, {"declaration": "cancelling"}, {}),
]


async def test_every_status_becomes_tracks(empty_url: str, tmp_path: Path) -> None:
    """Where a case stood says where it stands on each track, and the word shown for that is the one it had."""

    def earlier(connection: Connection) -> None:
        to_first(connection)
        for number, (status, documents, _, _) in enumerate(STOOD):
            id_ = f"c-{number}"
            insert(connection, "cases", id=id_, version=1, status=status, partner_id="firm", test=False)
            insert(connection, "case_keys", value=id_, kind="reference", test=False, case_id=id_)
            for document_type, document in documents.items():
                insert(
                    connection,
                    "case_documents",
                    case_id=id_,
                    document_type=document_type,
                    document=json.dumps(document),
                )

    await write(empty_url, earlier)
    await asyncio.to_thread(migrate, empty_url)
    store = open_store(empty_url, signer=SIGNER, payload_folder=tmp_path / "payloads", anchor_file=None)
    await store.open()
    try:
        queries = {number: CaseById(f"c-{number}") for number in range(len(STOOD))}
        found = await store.facts(queries.values(), Facts(), "m")
        rules = rulebook.load(shipped()).at(NOW.date())
        for number, (status, documents, tracks, left) in enumerate(STOOD):
            case = found[queries[number]]
            assert case is not None
            assert (case.tracks, case.left, case.kind) == (tracks, left, "consignment"), status
            assert rules.headline(case.kind, case.tracks) == status
            assert case.documents.keys() == documents.keys() - {"status_left"}
    finally:
        await store.close()
