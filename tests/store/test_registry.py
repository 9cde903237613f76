"""Partners, agreements and API keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import NotFound
from gateway.model import Acknowledge, Agreement, ApiKey, Direction, Identifier, Partner, Role, Strictness
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
)
KEY = ApiKey("k1", "firm", "hash1", frozenset({"send"}), test=True, expires_at=NOW)


async def test_what_is_imported_is_found(store: SqlStore) -> None:
    """Partners, agreements and keys come back whole, by id, identifier, role, partner and hash."""
    assert await store.import_partners([FIRM], [AGREEMENT], [KEY]) == (1, 1, 1)
    assert await store.partner("firm") == FIRM
    assert await store.partner_by(Identifier("uscc", "9137")) == FIRM
    assert await store.partners_with_role("agent") == [FIRM]
    assert await store.agreements("firm") == [AGREEMENT]
    assert await store.api_key("hash1") == KEY


async def test_what_is_not_there(store: SqlStore) -> None:
    """Unknown names are answered with nothing, or NotFound where something was named by id."""
    with pytest.raises(NotFound):
        await store.partner("unknown")
    assert await store.partner_by(Identifier("uscc", "1")) is None
    assert await store.partners_with_role("customs") == []
    assert await store.agreements("unknown") == []
    assert await store.api_key("unknown") is None


async def test_importing_again_replaces(store: SqlStore) -> None:
    """Old identifiers, roles and key hashes are gone after an import under the same ids."""
    await store.import_partners([FIRM], [AGREEMENT], [KEY])
    changed = replace(FIRM, name="New", roles=frozenset({Role.YARD}), identifiers=(Identifier("uscc", "2"),))
    agreement = replace(AGREEMENT, format="*")
    key = replace(KEY, hash="hash2", expires_at=NOW + timedelta(days=1))
    await store.import_partners([changed], [agreement], [key])
    assert await store.partner("firm") == changed
    assert await store.partner_by(Identifier("uscc", "9137")) is None
    assert await store.partner_by(Identifier("uscc", "2")) == changed
    assert await store.partners_with_role("agent") == []
    assert await store.agreements("firm") == [agreement]
    assert await store.api_key("hash1") is None
    assert await store.api_key("hash2") == key


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
