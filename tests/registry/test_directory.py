"""What the trip knows of partners is as old as the registry's version allows, and never older."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest

from gateway.model import Agreement, Credential, Direction, Identifier, Partner, Person, Role
from gateway.registry.directory import VERSION_AGE, Directory
from gateway.store import registry
from gateway.store.sql_store import SqlStore

FIRM = Partner("firm", "Firm", frozenset({Role.ENTERPRISE}), language="en")
CHANGED = replace(FIRM, language="zh")


class SlowStore:
    """A store whose answer about a partner is on its way until it is let go."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.read, self.arrived = asyncio.Event(), asyncio.Event()
        self.partner_by = store.partner_by
        self.registry_changes = store.registry_changes

    async def partner(self, partner_id: str) -> Partner:
        """The partner as it was when it was read."""
        found = await self._store.partner(partner_id)
        self.read.set()
        await self.arrived.wait()
        return found


async def test_an_answer_from_before_an_import_is_not_kept(store: SqlStore) -> None:
    """What was read before an import and arrives after others have seen it is given once, and then read anew."""
    await store.import_partners((FIRM,), (), ())
    seconds = 0.0
    slow = SlowStore(store)
    directory = Directory(slow, clock=lambda: seconds)  # type: ignore[arg-type]
    asked = asyncio.create_task(directory.partner("firm"))
    await slow.read.wait()
    await store.import_partners((CHANGED,), (), ())
    seconds += VERSION_AGE
    assert await directory.partner_by("uscc", "none") is None  # whoever asks next sees that the registry has moved
    slow.arrived.set()
    assert await asked == FIRM
    assert await directory.partner("firm") == CHANGED


class CountingStore:
    """A store that counts what it is asked for, by operation and first argument."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.asked: Counter[tuple[str, object]] = Counter()

    def __getattr__(self, operation: str) -> object:
        inner = getattr(self._store, operation)

        async def ask(argument: object) -> object:
            self.asked[operation, argument] += 1
            return await inner(argument)

        return ask


async def read_all(directory: Directory, of: Iterable[Partner]) -> None:
    """Look up all there is of some partners."""
    for one in of:
        assert (await directory.partner(one.id)).id == one.id
        assert await directory.agreements(one.id, Direction.IN)
        assert await directory.shown_credential(f"hash-{one.id}")
        assert await directory.partner_by("uscc", one.id)
    assert await directory.with_role("customs")


async def test_an_edit_empties_nobody_elses_answers(store: SqlStore) -> None:
    """After an edit of one among many, the store is asked about that one again, and about no other."""
    firms = [Partner(f"f{n}", "Firm", frozenset({Role.ENTERPRISE}), (Identifier("uscc", f"f{n}"),)) for n in range(50)]
    customs = Partner("customs", "Customs", frozenset({Role.CUSTOMS}))
    agreements = [Agreement(f"{one.id}-in", one.id, Direction.IN, "*", "*") for one in firms]
    keys = [Credential(f"{one.id}-key", one.id, f"hash-{one.id}") for one in firms]
    await store.import_partners([*firms, customs], agreements, keys)
    seconds = 0.0
    counting = CountingStore(store)
    directory = Directory(counting, clock=lambda: seconds)  # type: ignore[arg-type]
    await read_all(directory, firms)
    counting.asked.clear()
    await read_all(directory, firms)
    assert not counting.asked
    await store.import_partners([], [replace(agreements[7], format="edifact:CUSDEC:D:96B:UN")], [])
    seconds += VERSION_AGE
    await read_all(directory, firms)
    looked = {question for question in counting.asked if question[0] != "registry_changes"}
    name = Identifier("uscc", "f7")
    assert looked == {("partner", "f7"), ("agreements", "f7"), ("shown_credential", "hash-f7"), ("partner_by", name)}
    assert (await directory.agreements("f7", Direction.IN))[0].format == "edifact:CUSDEC:D:96B:UN"


async def test_what_changes_hands_is_seen_on_both_sides(store: SqlStore) -> None:
    """A name, a role, an agreement or a key that another partner takes is no longer the first one's."""
    other = replace(FIRM, id="other")
    uscc = (Identifier("uscc", "9137"),)
    terms, key = Agreement("terms", "firm", Direction.IN, "*", "*"), Credential("key", "firm", "hash")
    await store.import_partners([replace(FIRM, identifiers=uscc), other], [terms], [key])
    seconds = 0.0
    directory = Directory(store, clock=lambda: seconds)
    found = await directory.partner_by("uscc", "9137")
    assert found is not None
    assert found.id == "firm"
    assert await directory.partner_by("uscc", "new") is None
    assert await directory.with_role("bureau") == []
    assert await directory.agreement("firm", "terms") == terms
    assert await directory.shown_credential("hash") == key
    taken = replace(other, identifiers=(*uscc, Identifier("uscc", "new")), roles=frozenset({Role.BUREAU}))
    await store.import_partners(
        [taken], [replace(terms, partner_id="other")], [replace(key, partner_id="other", hash="h")]
    )
    seconds += VERSION_AGE
    assert await directory.partner_by("uscc", "9137") == taken
    assert await directory.partner_by("uscc", "new") == taken
    assert await directory.with_role("bureau") == [taken]
    assert await directory.agreement("firm", "terms") is None
    assert await directory.agreement("other", "terms") is not None
    assert await directory.shown_credential("hash") is None


async def test_more_changes_than_are_told_empty_everything(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bulk import between two looks nothing is taken for unchanged."""
    monkeypatch.setattr(registry, "CHANGES", 3)
    await store.import_partners([FIRM], [], [])
    seconds = 0.0
    directory = Directory(store, clock=lambda: seconds)
    assert await directory.partner("firm") == FIRM
    await store.import_partners([CHANGED, *(replace(FIRM, id=f"f{n}") for n in range(3))], [], [])
    seconds += VERSION_AGE
    assert await directory.partner("firm") == CHANGED


async def test_a_set_back_store_empties_everything(store: SqlStore) -> None:
    """A version that was moved on by a break of the log, or that is lower than the one known, says nothing of what changed."""
    await store.import_partners([FIRM], [], [])
    version = await store.registry_version()
    assert (await store.registry_changes(version)).everything is False
    assert (await store.registry_changes(version + 1)).everything is True
    assert (await store.registry_changes(version - registry.SKIP)).everything is True
    assert (await store.registry_changes(version - 1)).partners == {"firm"}


async def test_a_person_is_known_until_its_partner_changes(store: SqlStore) -> None:
    """A change of the person counts as one of the partner; that there is nobody is asked each time."""
    seconds = 0.0
    directory = Directory(store, clock=lambda: seconds)
    assert await directory.person("wang") is None
    await store.import_persons([Person("wang", "firm", "Wang")])
    assert await directory.person("wang") == Person("wang", "firm", "Wang")
    await store.import_persons([Person("wang", "firm", "Wang", active=False)])
    seconds += VERSION_AGE
    assert await directory.person("wang") == Person("wang", "firm", "Wang", active=False)
