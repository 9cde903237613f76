"""Bytes that may go to an archive by age, of whatever they were: what arrived, what was sent, what feeds hold.

A body is found by its key, the time and the digest of whoever it belongs to; several things of one moment may share it. It
goes when each of them lets it go: evidence never does, nor does what is not over, nor what belongs to a case that is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, delete, select, tuple_

from gateway.decide.names import Name
from gateway.model import TIME_DIGITS
from gateway.store import tables
from gateway.store.bodies import ARCHIVED_BODY
from gateway.store.body_rows import key_of
from gateway.store.contract import Standing
from gateway.store.payloads import payload_names
from gateway.store.retained import BODIES
from gateway.store.retention import Due, Kind, Look, Terms, kept_cases, note_archived, time_prefix
from gateway.store.sql import among, matching

GAP: Final = 60_000
"""Milliseconds between two bodies whose owners are read with one query."""
_EARLIER: Final = 64
"""Characters of the keys of the first version, a digest alone: whose such bodies are nobody can tell, so they stay."""
_small, _large = tables.bodies.c, tables.body_files.c


@dataclass(frozen=True, slots=True)
class _Body:
    """A body: its key, and, of a large one, the row that mentions it."""

    key: str
    owner_id: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class _Owner:
    """Something that a body belongs to."""

    holds: bool
    case_ids: tuple[str, ...] = ()
    names: tuple[Name, ...] = ()


class _Bodies:
    """Small bodies in the order of their keys, and then large ones in that of their owners."""

    name: str = BODIES
    tables: tuple[Table, ...] = (tables.bodies, tables.body_files)
    first: Any = ("", "", "")

    def look(self, connection: Connection, place: Any, terms: Terms, limit: int) -> Look:
        walk, *after = place
        rows = (
            self._small(connection, after[0], terms, limit)
            if not walk
            else self._large(connection, after, terms, limit)
        )
        known = [body for body in rows if len(body.key) != _EARLIER]
        owners = _owners_of(connection, [body.key for body in known])
        free = self._free(connection, known, owners, terms)
        due = tuple(Due(one, tuple(name for owner in owners[one.key] for name in owner.names)) for one in free)
        further = None if walk else ("files", "", "")
        if len(rows) == limit:
            further = ("files", rows[-1].owner_id, rows[-1].sha256) if walk else ("", rows[-1].key, "")
        return Look(due, len(rows) - len(due), further)

    def _small(self, connection: Connection, after: str, terms: Terms, limit: int) -> list[_Body]:
        query = select(_small.key).where(_small.key > after, _small.key < time_prefix(terms)).order_by(_small.key)
        return [_Body(key) for key in connection.execute(query.limit(limit)).scalars()]

    def _large(self, connection: Connection, after: Sequence[str], terms: Terms, limit: int) -> list[_Body]:
        behind = tuple_(_large.owner_id, _large.sha256) > tuple_(*after)
        query = select(tables.body_files).where(behind, _large.owner_id > "", _large.owner_id < time_prefix(terms))
        rows = connection.execute(query.order_by(_large.owner_id, _large.sha256).limit(limit))
        return [_Body(key_of(row.owner_id, row.sha256), row.owner_id, row.sha256) for row in rows]

    def _free(
        self, connection: Connection, bodies: Sequence[_Body], owners: dict[str, list[_Owner]], terms: Terms
    ) -> list[_Body]:
        cases = (case for one in bodies for owner in owners[one.key] for case in owner.case_ids)
        kept = kept_cases(connection, cases, terms)
        return [
            one
            for one in bodies
            if not any(owner.holds or not kept.isdisjoint(owner.case_ids) for owner in owners[one.key])
        ]

    def rows(self, connection: Connection, ids: Sequence[Any]) -> Iterator[tuple[Table, Row[Any]]]:
        small = [one.key for one in ids if not one.sha256]
        large = [(one.owner_id, one.sha256) for one in ids if one.sha256]
        found = connection.execute(select(tables.bodies).where(among(_small.key, small)))
        yield from ((tables.bodies, row) for row in found)
        if large:
            query = select(tables.body_files).where(matching((_large.owner_id, _large.sha256), large))
            yield from ((tables.body_files, row) for row in connection.execute(query))

    def files(self, ids: Sequence[Any]) -> Sequence[str]:
        return [one.sha256 for one in ids if one.sha256]

    def remove(self, connection: Connection, ids: Sequence[Any], terms: Terms, archive: str) -> int:
        going = self._free(connection, ids, _owners_of(connection, [one.key for one in ids]), terms)
        connection.execute(delete(tables.bodies).where(among(_small.key, [one.key for one in going if not one.sha256])))
        large = [(one.owner_id, one.sha256) for one in going if one.sha256]
        if large:
            connection.execute(delete(tables.body_files).where(matching((_large.owner_id, _large.sha256), large)))
        note_archived(connection, ARCHIVED_BODY, {(one.key, "", False) for one in going}, archive)
        return len(going)


def _owners_of(connection: Connection, keys: Sequence[str]) -> dict[str, list[_Owner]]:
    """What each of some bodies belongs to."""
    wanted = set(keys)
    found: dict[str, list[_Owner]] = defaultdict(list)
    for first, last in _spans(keys):
        for key, owner in _owners_between(connection, first, last):
            if key in wanted:
                found[key].append(owner)
    return found


def _spans(keys: Sequence[str]) -> list[tuple[str, str]]:
    """Beginnings of ids, first and last, between which all owners of some bodies lie; far ones are not read together."""
    spans: list[tuple[str, str]] = []
    for prefix in sorted({key[:TIME_DIGITS] for key in keys}):
        if spans and int(prefix, 16) - int(spans[-1][1], 16) <= GAP:
            spans[-1] = spans[-1][0], prefix
        else:
            spans.append((prefix, prefix))
    return spans


def _owners_between(connection: Connection, first: str, last: str) -> Iterator[tuple[str, _Owner]]:
    """Everything that has a body, with the body's key, of the time between two beginnings of ids."""
    end = f"{last}zzzz"  # behind every id that begins so, in the order of any language
    payloads, messages = tables.payloads.c, tables.messages.c
    rows = connection.execute(
        select(payloads.id, payloads.sha256, payloads.state).where(payloads.id >= first, payloads.id < end)
    ).all()
    cases: dict[str, set[str]] = defaultdict(set)
    about = select(messages.payload_id, messages.case_id).where(among(messages.payload_id, [row.id for row in rows]))
    for payload_id, case_id in connection.execute(about):
        cases[payload_id].add(case_id)
    for row in rows:
        waits = row.state == Standing.RECEIVED.value
        names = tuple(payload_names(row.id))
        yield key_of(row.id, row.sha256), _Owner(waits, tuple(sorted(cases[row.id] - {""})), names)
    for one in (tables.deliveries, tables.staged_deliveries, tables.exhibits):
        for id_, sha256 in connection.execute(select(one.c.id, one.c.sha256).where(one.c.id >= first, one.c.id < end)):
            yield key_of(id_, sha256), _Owner(holds=True)
    done, feed = tables.deliveries_done.c, tables.feed.c
    over = select(done.id, done.sha256, done.case_id, done.payload_id).where(done.id >= first, done.id < end)
    for id_, sha256, case_id, payload_id in connection.execute(over):
        yield key_of(id_, sha256), _Owner(False, (case_id,), tuple(payload_names(payload_id)))
    told = select(feed.document_id, feed.sha256, feed.case_id).where(feed.document_id >= first, feed.document_id < end)
    for id_, sha256, case_id in connection.execute(told):
        yield key_of(id_, sha256), _Owner(False, (case_id,))


KIND: Kind = _Bodies()
