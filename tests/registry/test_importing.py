"""Imports: every fault at once, the same in a trial; the same file twice changes nothing; nobody's things are taken over."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.catalogue_folders import shipped
from gateway.discovery import find_transports
from gateway.errors import NotFound, RegistryRefused
from gateway.model import Agreement, Changer, Credential, Direction, Identifier, Partner, Person, Role
from gateway.registry import importing, operations
from gateway.registry.exporting import WRITTEN, export
from gateway.registry.importing import Judge, Judged
from gateway.registry.partner_file import Known
from gateway.registry.partner_rows import Fault, Form, read_rows
from gateway.store.contract import AuditWanted, PartnersWanted
from gateway.store.sql_store import SqlStore
from tests.store.made import NOW, accept

KNOWN = Known(find_transports().options, shipped())
CLERK = Changer("customs", "wang")


async def import_file(
    store: SqlStore, body: bytes, form: Form = Form.JSON_LINES, **how: Any
) -> tuple[Judged, list[Fault]]:
    """What a file comes to, and its faults; it is written where it has none."""
    faults: list[Fault] = []
    with Judge(KNOWN, faults.append, **how) as judging:
        judged = await judging.judge(read_rows(io.BytesIO(body), "f", form), store)
        if not faults and how.get("keep", True):
            await judging.write(store, CLERK)
    return judged, faults


async def exported(store: SqlStore, form: Form = Form.JSON_LINES) -> bytes:
    return b"".join([piece async for piece in export(store, form, credentials=True)])


async def audited(store: SqlStore) -> list[dict[str, Any]]:
    """The audit, the oldest first."""
    return [json.loads(line.body) for line in reversed(await store.audit_lines(AuditWanted(), -1, 1000))]


def line(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "name": id_.upper(), **more}


def lines(*partners: dict[str, Any]) -> bytes:
    return "".join(f"{json.dumps(one)}\n" for one in partners).encode()


def many(count: int) -> bytes:
    """Partners with all that a partner may have."""
    return lines(
        *(
            line(
                f"e{number:04}",
                roles=["enterprise"],
                credit_grade="A" if number % 2 else "",
                identifiers=[{"scheme": "ciq-registration", "value": f"{number:010}"}],
                agreements=[{"direction": "in", "valid_until": "2031-01-01T00:00:00Z"}],
                keys=[
                    {"hash": f"{number:064x}", "revoked_at": "2026-01-01T00:00:00Z"}
                    if number % 3
                    else {"hash": f"{number:064x}"}
                ],
                persons=[{"id": f"p{number:04}", "name": "Somebody"}],
            )
            for number in range(count)
        )
    )


@pytest.mark.parametrize("count", [3, 120])  # told one by one, and as a whole
async def test_an_import_twice_changes_nothing_and_audits_nothing(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """The registry's version stays, so that nobody forgets anything, and so do its audit and what an export writes."""
    monkeypatch.setattr(importing, "CHUNK", 50)
    assert (await import_file(store, many(count)))[1] == []
    before = await store.registry_version(), await audited(store), await exported(store)
    assert (await import_file(store, many(count)))[1] == []
    assert (await store.registry_version(), await audited(store), await exported(store)) == before


@pytest.mark.parametrize("form", WRITTEN)
async def test_what_is_exported_is_imported_as_the_same(store: SqlStore, form: Form) -> None:
    """In each form a file that an export wrote is what the registry holds already; after one change it puts that back."""
    await import_file(store, many(20))
    file = await exported(store, form)
    version = await store.registry_version()
    judged, faults = await import_file(store, file, form)
    assert (faults, judged.counts["partners"], await store.registry_version()) == ([], 20, version)
    await store.import_partners([replace(await store.partner("e0007"), name="Other")], [], [])
    await import_file(store, file, form)
    assert await exported(store, form) == file


FAULTY = lines(
    line("a", roles=["king"], credit_grade="Z"),
    line("b"),
    line("b"),
    line("c d"),
    line("thief", keys=[{"hash": f"{1:064x}"}], agreements=[{"id": "e0002-in-any", "direction": "in"}]),
    line("other", persons=[{"id": "p0003", "name": "X"}], keys=[{"id": "e0004-00000000", "hash": f"{77:064x}"}]),
    line("named", identifiers=[{"scheme": "ciq-registration", "value": "0000000005"}]),
    line("branch", roles=["bureau"], level="branch", parent="nobody"),
)
TOLD = [
    ("a", "roles.0"),
    ("a", "credit_grade"),
    ("b", "there twice"),
    ("c d", "id"),
    ("thief", "already e0001's"),
    ("thief", "already e0002's"),
    ("other", "already e0004's"),
    ("other", "acts for e0003"),
    ("named", "what e0005 goes by"),
    ("branch", "no partner nobody"),
]


@pytest.mark.parametrize("chunk", [2, 1000])
async def test_every_fault_of_every_partner_is_told_at_once(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """A trial finds the faults that the import finds, and neither changes anything."""
    await import_file(store, many(6))
    monkeypatch.setattr(importing, "CHUNK", chunk)
    before = await store.registry_version(), await exported(store)
    _, faults = await import_file(store, FAULTY)
    for partner, told in TOLD:
        assert [one for one in faults if one.partner == partner and told in str(one)], (partner, told, faults)
    assert len(faults) == len(TOLD)
    judged, tried = await import_file(store, FAULTY, keep=False)
    assert (tried, judged.faults) == (faults, len(TOLD))
    assert (await store.registry_version(), await exported(store)) == before


async def test_a_name_moves_where_both_partners_are_in_the_file(store: SqlStore) -> None:
    """Whoever had it must be there too, in any order, so that nobody loses a name unseen."""
    name = [{"scheme": "unb", "value": "X"}]
    await import_file(store, lines(line("a", identifiers=name), line("b")))
    assert len((await import_file(store, lines(line("b", identifiers=name))))[1]) == 1
    assert (await import_file(store, lines(line("b", identifiers=name), line("a"))))[1] == []
    assert (await store.partner_by(Identifier("unb", "X"))).id == "b"  # type: ignore[union-attr]


async def test_an_update_leaves_what_is_not_named(store: SqlStore) -> None:
    """A table of grades and classes changes these; of a partner that is not there, it is a fault."""
    await import_file(store, many(3))
    before = await store.partner("e0002")
    table = b"id,credit_grade,supervision_classes\ne0002,AA,2008=II\n"
    assert (await import_file(store, table, Form.CSV, update=True))[1] == []
    assert await store.partner("e0002") == replace(before, credit_grade="AA", supervision_classes={"2008": "II"})
    assert await store.agreements("e0002")
    (fault,) = (await import_file(store, b"id,credit_grade\nnobody,A\n", Form.CSV, update=True))[1]
    assert "no partner nobody" in fault.text


async def test_the_audit_says_who_changed_what(store: SqlStore) -> None:
    """Who, what it was, and what it is; an id that is given later is told as it was before."""
    await import_file(store, lines(line("a", credit_grade="B")))
    await import_file(store, lines(line("a", credit_grade="A")))
    told = (await audited(store))[-1]
    assert (told["actor"]["partner"], told["actor"]["person"], told["action"]) == (
        "customs",
        "wang",
        "registry.partner",
    )
    assert (told["subject"], told["before"]["credit_grade"], told["after"]["credit_grade"]) == ("a", "B", "A")


async def test_a_partner_that_left_a_trace_is_not_removed(store: SqlStore) -> None:
    """One that sent something stays; one that was a mistake goes with all it had, and its key opens nothing again."""
    await accept(store, 1)
    sender = (await store.payloads("", "", "", 1))[0].payload.partner_id
    await store.import_partners([Partner(sender, "Sender")], [], [])
    with pytest.raises(RegistryRefused):
        await store.remove_partner(sender)
    made = Partner("mistake", "Mistake", frozenset({Role.PORT}), (Identifier("unb", "M"),))
    agreement, key = Agreement("m-in", "mistake", Direction.IN, "*", "*"), Credential("m-1", "mistake", "a" * 64)
    await store.import_partners([made], [agreement], [key])
    await store.import_persons([Person("mei", "mistake", "Mei")])
    await store.remove_partner("mistake", CLERK)
    with pytest.raises(NotFound):
        await store.partner("mistake")
    assert await store.partner_by(Identifier("unb", "M")) is None
    assert (await store.agreements("mistake"), await store.persons_of("mistake")) == ([], [])
    assert (await audited(store))[-1]["action"] == "registry.remove"
    await store.import_partners([made], [agreement], [key])
    assert (await store.credential("m-1")).revoked_at is not None
    with pytest.raises(NotFound):
        await store.remove_partner("nobody")


async def test_partners_are_listed_by_role_grade_and_whether_active(store: SqlStore) -> None:
    """Each filter, and two together, by id from any point on."""
    made = [
        Partner(
            f"x{n}",
            "X",
            frozenset({Role.PORT} if n % 2 else {Role.AGENT}),
            credit_grade="A" if n > 2 else "",
            active=n != 5,
        )
        for n in range(6)
    ]
    await store.import_partners(made, [], [])

    async def found(after: str = "", **wanted: Any) -> list[str]:
        return [one.id for one in await store.partners(after, 10, PartnersWanted(**wanted))]

    assert await found(role="port") == ["x1", "x3", "x5"]
    assert await found("x1", role="port") == ["x3", "x5"]
    assert await found(grade="A") == ["x3", "x4", "x5"]
    assert await found(active=False) == ["x5"]
    assert await found(active=True, role="port", grade="A") == ["x3"]


async def test_an_id_is_found_by_how_it_alone_begins(store: SqlStore) -> None:
    """The id itself wins; what several begin with is told with some of them; signs that patterns know are just signs."""
    await store.import_partners([Partner(id_, "X") for id_ in ("acme", "acme-2", "be_a", "beta", "b%x")], [], [])
    assert await operations.find_id(store, "partners", "acme") == "acme"
    assert await operations.find_id(store, "partners", "acme-") == "acme-2"
    assert await operations.find_id(store, "partners", "be_") == "be_a"
    for beginning, told in (("be", "be_a, beta"), ("none", "no partner none"), ("b_", "no partner b_")):
        with pytest.raises(NotFound, match=told):
            await operations.find_id(store, "partners", beginning)


async def test_disabling_twice_is_audited_once(store: SqlStore) -> None:
    """What is so already is no change."""
    await store.import_partners([Partner("a", "A")], [], [])
    for _ in range(2):
        assert not (await operations.set_active(store, "a", CLERK, active=False)).active
    assert len(await audited(store)) == 2
    assert (await operations.set_active(store, "a", CLERK, active=True)).active


async def test_a_rotated_key_keeps_its_terms(store: SqlStore) -> None:
    """The next key has the scopes of the one before, which ends after the overlap; one that is over is not rotated."""
    from datetime import timedelta

    await store.import_partners([Partner("a", "A")], [], [])
    terms = operations.KeyTerms(("read",), "ERP", days=10)
    first = await operations.issue_key(store, "a", terms, CLERK, NOW)
    following = await operations.rotate_key(store, first.credential.id, timedelta(hours=1), CLERK, NOW)
    assert (following.credential.scopes, following.credential.label) == (frozenset({"read"}), "ERP")
    assert (await store.credential(first.credential.id)).revoked_at == NOW + timedelta(hours=1)
    with pytest.raises(RegistryRefused):
        await operations.rotate_key(store, first.credential.id, timedelta(0), CLERK, NOW + timedelta(hours=2))
