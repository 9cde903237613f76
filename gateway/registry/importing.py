"""The import of a partner file: all of it is judged first, against itself and the registry, and then all of it is written.

A file is read once: what is good of it waits in a temporary file until the last partner is judged, so that memory stays flat,
a pipe can be read, and nothing is written that was not judged. Nothing of a file with a fault is written.
"""

from __future__ import annotations

import asyncio
import pickle
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Self, TypeVar

from gateway.model import OPERATOR, Agreement, Changer, Credential, CredentialUse, Identifier, Partner, Person, Role
from gateway.registry.exporting import write_partner
from gateway.registry.offices import find_misplaced
from gateway.registry.partner_file import Known, PartnerEntry, Taken, judge
from gateway.registry.partner_rows import Fault, Row
from gateway.store.ports import Store

CHUNK = 1000
"""Partners that are judged, and written, together: bounded memory, and few commits."""
NOUNS = ("partners", "agreements", "credentials", "persons")
"""What an import counts."""

T = TypeVar("T", Agreement, Credential, Person)


@dataclass(slots=True)
class Judged:
    """What a file came to."""

    counts: Counter[str] = field(default_factory=Counter)
    """Good partners, and what they bring, by noun."""
    rows: int = 0
    faults: int = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Good partners on their way into the registry."""

    partners: tuple[Partner, ...]
    agreements: tuple[Agreement, ...]
    credentials: tuple[Credential, ...]
    persons: tuple[Person, ...]
    size: int


class Judge:
    """Judges a partner file, and keeps what is good of it for `write`. To be closed."""

    def __init__(self, known: Known, tell: Callable[[Fault], None], *, update: bool = False, keep: bool = True) -> None:
        """`known` is what agreements may name; `tell` gets every fault as it is found.

        With `update` what a partner's row does not name stays as the registry has it, and partners that it does not have
        are faults. Without `keep` nothing is kept: a trial.
        """
        self._known = known
        self._tell_on = tell
        self._update = update
        self._taken = Taken()
        self._offices: dict[str, Partner] = {}
        self._moved: list[tuple[Fault, str]] = []
        """Faults that are none where the file has the other partner too, each with that one's id."""
        self._kept = tempfile.TemporaryFile(prefix="gateway-partners-") if keep else None  # noqa: SIM115 - closed by `close`
        self.judged = Judged()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of what was kept."""
        if self._kept is not None:
            self._kept.close()

    async def judge(
        self, rows: Iterator[Row], store: Store | None, step: Callable[[int], None] = lambda _: None
    ) -> Judged:
        """Judge all rows of a file. `store` is the registry, None where there is none yet; `step` gets the bytes read."""
        # In threads, so that whoever imports into a running gateway does not hold it up.
        while chunk := await asyncio.to_thread(lambda: list(islice(rows, CHUNK))):
            self.judged.rows += len(chunk)
            await self._judge_chunk(chunk, store)
            step(sum(row.size for row in chunk))
        for fault, other in self._moved:
            if other not in self._taken.partners:
                self._tell(fault)
        for fault in await self._find_misplaced(store):
            self._tell(fault)
        return self.judged

    async def write(self, store: Store, by: Changer = OPERATOR, step: Callable[[int], None] = lambda _: None) -> None:
        """Write what was judged. To be called where there was no fault."""
        assert self._kept is not None, "what is to be written is kept"
        assert not self.judged.faults, "only what is good as a whole is written"
        self._kept.seek(0)
        while self._kept.peek(1):
            batch: _Batch = await asyncio.to_thread(pickle.load, self._kept)
            await store.import_partners(batch.partners, batch.agreements, batch.credentials, by)
            if batch.persons:
                await store.import_persons(batch.persons, by)
            step(batch.size)

    def _tell(self, fault: Fault) -> None:
        self.judged.faults += 1
        self._tell_on(fault)

    async def _judge_chunk(self, chunk: Sequence[Row], store: Store | None) -> None:
        rows = await self._complete(chunk, store) if self._update else chunk
        entries, faults = await asyncio.to_thread(self._judge_rows, rows)
        for fault in faults:
            self._tell(fault)
        batch = await asyncio.to_thread(_make_batch, [entry for entry, _ in entries], sum(row.size for row in chunk))
        if store is not None:
            places = {entry.id: place for entry, place in entries}
            for fault in await self._find_taken_over(batch, places, store):
                self._tell(fault)
        for partner in batch.partners:
            if partner.level is not None or Role.BUREAU in partner.roles:
                self._offices[partner.id] = partner
        self.judged.counts.update(
            dict(
                zip(NOUNS, map(len, (batch.partners, batch.agreements, batch.credentials, batch.persons)), strict=True)
            )
        )
        if self._kept is not None and not self.judged.faults:
            await asyncio.to_thread(pickle.dump, batch, self._kept, pickle.HIGHEST_PROTOCOL)

    def _judge_rows(self, rows: Iterable[Row]) -> tuple[list[tuple[PartnerEntry, str]], list[Fault]]:
        """The partners of rows that are good by themselves, each with its place, and the faults of all."""
        entries: list[tuple[PartnerEntry, str]] = []
        faults: list[Fault] = []
        for row in rows:
            entry, found = judge(row, self._known)
            if entry is not None:
                found = list(self._taken.add(entry, row.place))
                entries.append((entry, row.place))
            faults += found
        return entries, faults

    async def _complete(self, chunk: Sequence[Row], store: Store | None) -> list[Row]:
        """The rows with what they do not name as the registry has it; a row of a partner that it has not is unreadable."""
        known = await store.partners_by_id(row.partner for row in chunk if row.partner) if store is not None else {}
        rows = []
        for row in chunk:
            present = known.get(row.partner)
            if row.unreadable or not isinstance(row.value, dict):
                rows.append(row)
            elif present is None:
                told = f"there is no partner {row.partner or 'without an id'}; only those that are there are updated"
                rows.append(Row(row.place, None, row.size, told))
            else:
                rows.append(Row(row.place, {**write_partner(present), **row.value}, row.size))
        return rows

    async def _find_taken_over(self, batch: _Batch, places: dict[str, str], store: Store) -> list[Fault]:
        """Faults of what the registry has for another partner: it would open the other's door, or change its agreement."""
        shown = [one for one in batch.credentials if one.use is CredentialUse.IN]
        secrets = await store.shown_credentials(one.hash for one in shown) if shown else {}
        found = [
            _fault(
                places,
                one,
                f"{_noun(one)} {one.id} is already {held.partner_id}'s, as {held.id}; a {_noun(one)} belongs to one partner",
            )
            for one in shown
            if (held := secrets.get(one.hash)) is not None and held.partner_id != one.partner_id
        ]
        told = {
            one.id for one in shown if (held := secrets.get(one.hash)) is not None and held.partner_id != one.partner_id
        }
        credentials = await store.credentials_by_id(one.id for one in batch.credentials) if batch.credentials else {}
        found += _foreign(places, (one for one in batch.credentials if one.id not in told), credentials, "credential")
        agreements = await store.agreements_by_id(one.id for one in batch.agreements) if batch.agreements else {}
        found += _foreign(places, batch.agreements, agreements, "agreement")
        persons = await store.persons_by_id(one.id for one in batch.persons) if batch.persons else {}
        found += [
            _fault(
                places,
                one,
                f"person {one.id} acts for {present.partner_id} already; `gateway person add` moves a person",
            )
            for one in batch.persons
            if (present := persons.get(one.id)) is not None and present.partner_id != one.partner_id
        ]
        await self._note_moved(batch.partners, places, store)
        return found

    async def _note_moved(self, partners: Collection[Partner], places: dict[str, str], store: Store) -> None:
        """Note names that another partner goes by, which the file may take from it only where it has that one too."""
        names = [one for partner in partners for one in partner.identifiers]
        known = await store.partners_by_identifiers(names) if names else {}
        for partner in partners:
            for name in partner.identifiers:
                holder = known.get(Identifier(name.scheme, name.value))
                if holder is not None and holder.id != partner.id:
                    told = f"{name.scheme}:{name.value} is what {holder.id} goes by"
                    self._moved.append((Fault(places[partner.id], partner.id, "identifiers", told), holder.id))

    async def _find_misplaced(self, store: Store | None) -> list[Fault]:
        """Faults of offices in the file, and of those below them in the registry, that would have no office above."""
        if not self._offices:
            return []
        known = {one.id: one for one in await store.partners_with_role(Role.BUREAU)} if store is not None else {}
        known |= self._offices
        concerned = [one for one in known.values() if one.id in self._offices or one.parent in self._offices]
        return [Fault(f"partner {office}", office, "", fault) for office, fault in find_misplaced(concerned, known)]


def _make_batch(entries: Sequence[PartnerEntry], size: int) -> _Batch:
    return _Batch(
        tuple(entry.partner() for entry in entries),
        tuple(one for entry in entries for one in entry.model_agreements()),
        tuple(one for entry in entries for one in entry.model_credentials()),
        tuple(one for entry in entries for one in entry.model_persons()),
        size,
    )


def _foreign(places: dict[str, str], entries: Iterable[T], known: Mapping[str, T], noun: str) -> Iterator[Fault]:
    """Faults of entries whose id another partner's has in the registry."""
    for one in entries:
        held = known.get(one.id)
        if held is not None and held.partner_id != one.partner_id:
            yield _fault(places, one, f"{noun} {one.id} is already {held.partner_id}'s; an id belongs to one partner")


def _fault(places: dict[str, str], one: Agreement | Credential | Person, text: str) -> Fault:
    return Fault(f"{places[one.partner_id]}: partner {one.partner_id}", one.partner_id, "", text)


def _noun(credential: Credential) -> str:
    """What people call it."""
    return "key" if credential.kind == "api_key" else credential.kind.replace("_", " ")
