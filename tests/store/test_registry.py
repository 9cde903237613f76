"""Partners, agreements and credentials."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest

from gateway.errors import NotFound
from gateway.model import (
    Acknowledge,
    Agreement,
    Credential,
    CredentialKind,
    CredentialUse,
    Direction,
    HeldRole,
    Identifier,
    Level,
    Partner,
    Person,
    Role,
    Strictness,
)
from gateway.store import registry
from gateway.store.registry import CHUNK
from gateway.store.sql import from_json, to_json
from gateway.store.sql_store import SqlStore
from tests.store.made import NOW

FIRM = Partner(
    "firm",
    "Example Foods 示例食品",
    frozenset({Role.ENTERPRISE, Role.AGENT}),
    (Identifier("ciq-registration", "3710000001"), Identifier("uscc", "9137")),
    "zh",
    "Asia/Shanghai",
    "A",
    frozenset({"other"}),
    direct_through=date(2026, 1, 1),
    supervision_classes={"2008": "II", "04": "III"},
    regions=frozenset({"bohai", "rim"}),
    level=Level.BRANCH,
    parent="other",
)
AGREEMENT = Agreement(
    "firm-in",
    "firm",
    Direction.IN,
    "declaration",
    "edifact:CUSDEC:D:96B:UN",
    options={"folder": "x"},
    strictness=Strictness.LENIENT,
    acknowledge=Acknowledge.ON_ERROR,
    attempt_timeout=2.5,
    second_opinion=True,
    mapping="declaration/firm",
    without_declaration=True,
)
KEY = Credential(
    "k1", "firm", "hash1", frozenset({"send"}), test=True, valid_from=NOW - timedelta(1), valid_until=NOW, label="ERP"
)
CERTIFICATE = Credential(
    "c1", "firm", "f" * 64, kind=CredentialKind.CERTIFICATE, use=CredentialUse.SIGN, material="-----BEGIN"
)
TOKEN = Credential("t1", "firm", kind=CredentialKind.TOKEN, use=CredentialUse.OUT, reference="env:TOKEN")


async def test_what_is_imported_is_found(store: SqlStore) -> None:
    """Partners, agreements and keys come back whole, by id, identifier, role, partner and hash."""
    assert await store.import_partners([FIRM], [AGREEMENT], [KEY]) == (1, 1, 1)
    assert await store.partner("firm") == FIRM
    assert await store.partner_by(Identifier("uscc", "9137")) == FIRM
    assert await store.partners_with_role("agent") == [FIRM]
    assert await store.agreements("firm") == [AGREEMENT]
    assert await store.shown_credential("hash1") == KEY


async def test_what_is_not_there(store: SqlStore) -> None:
    """Unknown names are answered with nothing, or NotFound where something was named by id."""
    with pytest.raises(NotFound):
        await store.partner("unknown")
    assert await store.partner_by(Identifier("uscc", "1")) is None
    assert await store.partners_with_role("customs") == []
    assert await store.agreements("unknown") == []
    assert await store.shown_credential("unknown") is None


async def test_importing_again_replaces(store: SqlStore) -> None:
    """Old identifiers, roles and key hashes are gone after an import under the same ids."""
    await store.import_partners([FIRM], [AGREEMENT], [KEY])
    changed = replace(FIRM, name="New", roles=frozenset({Role.YARD}), identifiers=(Identifier("uscc", "2"),))
    agreement = replace(AGREEMENT, format="*")
    key = replace(KEY, hash="hash2", valid_until=NOW + timedelta(days=1))
    await store.import_partners([changed], [agreement], [key])
    assert await store.partner("firm") == changed
    assert await store.partner_by(Identifier("uscc", "9137")) is None
    assert await store.partner_by(Identifier("uscc", "2")) == changed
    assert await store.partners_with_role("agent") == []
    assert await store.agreements("firm") == [agreement]
    assert await store.shown_credential("hash1") is None
    assert await store.shown_credential("hash2") == key


async def test_inactive_partners_have_no_role(store: SqlStore) -> None:
    """A role is answered with active partners, by id."""
    made = [Partner(f"c{n}", "Customs", frozenset({Role.CUSTOMS}), active=n != 2) for n in (3, 1, 2)]
    await store.import_partners(made, [], [])
    assert [one.id for one in await store.partners_with_role("customs")] == ["c1", "c3"]


async def test_the_version_grows_with_every_import(store: SqlStore) -> None:
    """Whoever caches partners learns of any change."""
    versions = [await store.registry_version()]
    for arguments in (([FIRM], [], []), ([], [AGREEMENT], []), ([], [], [KEY])):
        await store.import_partners(*arguments)
        versions.append(await store.registry_version())
    assert versions == sorted(set(versions))


async def test_a_large_import_passes_through_in_chunks(store: SqlStore) -> None:
    """Partners are read from an iterator chunk by chunk, and listed by id from any point on."""
    taken = 0

    def made():
        nonlocal taken
        for number in range(2 * CHUNK + 5):
            taken += 1
            yield Partner(f"e{number:06}", "Enterprise", identifiers=(Identifier("n", f"{number}"),))

    total = 2 * CHUNK + 5
    assert await store.import_partners(made(), [], []) == (total, 0, 0)
    assert taken == total
    after, found = "", 0
    while page := await store.partners(after, 700):
        assert [one.id for one in page] == sorted(one.id for one in page)
        after, found = page[-1].id, found + len(page)
    assert found == total
    partner = await store.partner_by(Identifier("n", f"{CHUNK + 1}"))
    assert partner is not None
    assert partner.id == f"e{CHUNK + 1:06}"


def test_agreements_kept_before_they_could_choose_a_mapping_are_read() -> None:
    """Terms are one JSON text; what it does not say is as it was before it could be said."""
    terms = from_json(registry._terms(AGREEMENT))
    del terms["mapping"]
    assert registry._agreement_from(to_json(terms)) == replace(AGREEMENT, mapping="")


# Credentials.


async def test_credentials_of_every_kind_come_back_whole(store: SqlStore) -> None:
    """By partner all of them, by id one, and by hash only what is shown to us."""
    await store.import_partners([FIRM], [], [KEY, CERTIFICATE, TOKEN])
    assert await store.credentials("firm") == [CERTIFICATE, KEY, TOKEN]
    assert await store.credentials("other") == []
    assert await store.credential("t1") == TOKEN
    assert await store.shown_credential(CERTIFICATE.hash) is None
    for ask in (store.credential("unknown"), store.revoke_credential("unknown", NOW)):
        with pytest.raises(NotFound):
            await ask


async def test_one_certificate_signs_for_several_and_opens_for_one(store: SqlStore) -> None:
    """What signs may be several partners'; what is shown to us is one partner's, whoever had it before."""
    others = replace(CERTIFICATE, id="c2", partner_id="agent")
    await store.import_partners([], [], [CERTIFICATE, others])
    assert await store.credentials("agent") == [others]
    assert await store.credentials("firm") == [CERTIFICATE]
    taken = replace(KEY, id="k2", partner_id="agent")
    await store.import_partners([], [], [KEY])
    await store.import_partners([], [], [taken])
    assert await store.shown_credential("hash1") == taken
    assert await store.credentials("firm") == [CERTIFICATE]


async def test_of_one_secret_in_one_import_the_later_counts(store: SqlStore) -> None:
    """Two ids with one secret, and one id with two secrets, are one credential each."""
    await store.import_partners([], [], [KEY, replace(KEY, id="k2"), replace(KEY, id="k2", hash="hash3")])
    assert [(one.id, one.hash) for one in await store.credentials("firm")] == [("k1", "hash1"), ("k2", "hash3")]
    await store.import_partners([], [], [replace(KEY, id="k3"), replace(KEY, id="k4")])
    assert [(one.id, one.hash) for one in await store.credentials("firm")] == [("k2", "hash3"), ("k4", "hash1")]


@pytest.mark.parametrize("again", [KEY, replace(KEY, id="renamed"), replace(KEY, revoked_at=NOW + timedelta(9))])
async def test_what_was_revoked_stays_so(store: SqlStore, again: Credential) -> None:
    """No import of the same secret opens it again, under whatever id; under its id, another secret is another key."""
    await store.import_partners([FIRM], [], [KEY])
    await store.revoke_credential("k1", NOW + timedelta(1))
    await store.revoke_credential("k1", NOW)
    await store.revoke_credential("k1", NOW + timedelta(2))  # no order lengthens what an earlier one has ended
    await store.import_partners([], [], [again])
    found = await store.shown_credential("hash1")
    assert found == replace(again, revoked_at=NOW)
    fresh = replace(KEY, hash="hash2")
    await store.import_partners([], [], [fresh])
    assert await store.shown_credential("hash2") == fresh


async def test_ending_a_credential_is_a_change_of_its_partner(store: SqlStore) -> None:
    """Whoever remembers it is told; orders of one batch each get their answer."""
    await store.import_partners([FIRM], [], [KEY, TOKEN])
    version = await store.registry_version()
    await asyncio.gather(*(store.revoke_credential(id_, NOW) for id_ in ("k1", "t1", "k1")))
    assert (await store.registry_changes(version)).partners == {"firm"}
    assert [one.revoked_at for one in await store.credentials("firm")] == [NOW, NOW]


WANG = Person(
    "wang",
    "firm",
    "王芳",
    (HeldRole("reviewer", "370100", valid_until=NOW), HeldRole("signatory", valid_from=NOW)),
    "zh",
    active=False,
)


async def test_persons_are_found_and_replaced(store: SqlStore) -> None:
    """Whole, by id and by partner; a change of one is a change of the partners it concerns."""
    assert await store.import_persons([WANG, Person("li", "firm", "Li")]) == 2
    assert await store.person("wang") == WANG
    assert [one.id for one in await store.persons_of("firm")] == ["li", "wang"]
    before = await store.registry_version()
    await store.import_persons([replace(WANG, partner_id="other", active=True)])
    assert (await store.registry_changes(before)).partners == {"firm", "other"}
    assert (await store.persons_by_id(["wang", "nobody"])).keys() == {"wang"}
    with pytest.raises(NotFound):
        await store.person("nobody")


def test_a_role_is_held_from_its_first_moment_to_its_last() -> None:
    """The moment at which it ends is not in it."""
    held = HeldRole("reviewer", valid_from=NOW, valid_until=NOW + timedelta(days=1))
    moments = (NOW - timedelta(microseconds=1), NOW, NOW + timedelta(days=1, microseconds=-1), NOW + timedelta(days=1))
    assert [held.is_held(at) for at in moments] == [False, True, True, False]
    assert HeldRole("reviewer").is_held(NOW)
