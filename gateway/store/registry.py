"""The registry: partners with their identifiers and roles, agreements; bulk import and lookups.

There are hundreds of thousands of partners. An import passes through in chunks, each a transaction of
its own, so that memory stays flat and the writers' lock is never held for long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, delete, select, text

from gateway.decide.names import Name
from gateway.errors import GatewayError
from gateway.model import (
    OPERATOR,
    Acknowledge,
    Agreement,
    Changer,
    Credential,
    Direction,
    Identifier,
    Level,
    Partner,
    Person,
    Role,
    Strictness,
)
from gateway.store import credentials, persons, registry_audit, tables
from gateway.store.batch import Batch
from gateway.store.contract import ANY_PARTNERS, PartnersWanted, RegistryChanges
from gateway.store.counters import REGISTRY
from gateway.store.sql import among, from_json, matching, maybe_from_time, maybe_to_time, to_json

CHUNK = 1000
"""Partners, agreements or credentials in one transaction of an import."""

SKIP = 1 << 20
"""More changes of the registry than can be lost. A break of the log moves the version on by so many: what a node
remembers of a lost version must never be taken for what the new one says."""
CHANGES = 5000
"""Changed partners that are told one by one: a few chunks of an import, between two looks."""

_partners, _identifiers, _roles = tables.partners.c, tables.partner_identifiers.c, tables.partner_roles.c
_agreements, _changes = tables.agreements.c, tables.registry_changes.c
T = TypeVar("T")
Entry = registry_audit.Entry
_GRADED, _INACTIVE = text("credit_grade <> ''"), text("NOT active")
"""As the indexes have it, so that both engines see that they serve."""


def chunks(entries: Iterable[T]) -> Iterator[list[T]]:
    """`entries` in lists of at most CHUNK."""
    iterator = iter(entries)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


@dataclass(frozen=True, slots=True)
class Import:
    """What is added or replaced in one transaction, and by whom."""

    entries: Sequence[Entry]
    by: Changer = OPERATOR


def import_names(_import: Import) -> Iterable[Name]:
    """What an import touches: the registry as a whole, since its version counts every import."""
    yield ("counter", REGISTRY)


def import_entries(batch: Batch, imports: Sequence[Import]) -> Sequence[GatewayError | None]:
    """Add or replace partners, agreements, credentials and persons; what comes later in an import wins.

    What is there already as it is given is left alone: the registry's version, and the audit, tell changes.
    """
    for one in imports:
        before = _read_present(batch.connection, one.entries)
        entries = [entry for entry in _last_of_each(one.entries) if not _is_present(entry, before)]
        if not entries:
            continue
        number = batch.next_number(REGISTRY)
        for partner_id in _owners(batch.connection, entries):
            batch.insert(tables.registry_changes, (partner_id, number), "replace")
        for told in registry_audit.entries_of_import(entries, before, number, datetime.now(UTC), one.by):
            batch.tell(told)
        _import_partners(batch, [entry for entry in entries if isinstance(entry, Partner)])
        for entry in entries:
            if isinstance(entry, Agreement):
                batch.insert(tables.agreements, (entry.id, entry.partner_id, _terms(entry)), "replace")
            elif isinstance(entry, Person):
                persons.write(batch, entry)
        credentials.replace(batch, [entry for entry in entries if isinstance(entry, Credential)])
        batch.flush()
    return [None] * len(imports)


def _last_of_each(entries: Sequence[Entry]) -> list[Entry]:
    """Of entries with one id, or one secret, the last."""
    by_id = {(type(entry), entry.id): entry for entry in entries}
    secrets = {credentials.secret_of(one): one.id for one in by_id.values() if isinstance(one, Credential)}
    return [
        entry
        for entry in by_id.values()
        if not isinstance(entry, Credential) or secrets[credentials.secret_of(entry)] == entry.id
    ]


def _read_present(connection: Connection, entries: Sequence[Entry]) -> registry_audit.Present:
    """What the registry holds under the ids of `entries`."""
    ids: dict[type[Entry], list[str]] = defaultdict(list)
    for entry in entries:
        ids[type(entry)].append(entry.id)
    found: dict[tuple[type[Entry], str], Entry] = {}
    for kind, read in _READERS.items():
        if ids[kind]:
            found |= {(kind, id_): entry for id_, entry in read(connection, ids[kind]).items()}
    return found


def _is_present(entry: Entry, present: registry_audit.Present) -> bool:
    """Whether the registry holds the entry as it is given; a credential that was ended stays so, whatever is given."""
    held = present.get((type(entry), entry.id))
    if isinstance(entry, Credential) and isinstance(held, Credential):
        ends = [end for end in (entry.revoked_at, held.revoked_at) if end is not None]
        return replace(entry, revoked_at=min(ends, default=None)) == held
    return held == entry


def _owners(connection: Connection, entries: Sequence[Entry]) -> set[str]:
    """The partners whose entries an import changes: those in it, and those from whom it takes something."""
    taken = [entry.id for entry in entries if isinstance(entry, Agreement)]
    return {
        *(entry.id if isinstance(entry, Partner) else entry.partner_id for entry in entries),
        *(
            connection.execute(select(_agreements.partner_id).where(among(_agreements.id, taken))).scalars()
            if taken
            else ()
        ),
        *credentials.owners(connection, [entry for entry in entries if isinstance(entry, Credential)]),
        *persons.owners(connection, [entry for entry in entries if isinstance(entry, Person)]),
    }


def _import_partners(batch: Batch, entries: Sequence[Partner]) -> None:
    if not entries:
        return
    ids = [entry.id for entry in entries]
    connection = batch.connection
    connection.execute(delete(tables.partner_identifiers).where(among(_identifiers.partner_id, ids)))
    connection.execute(delete(tables.partner_roles).where(among(_roles.partner_id, ids)))
    for entry in {entry.id: entry for entry in entries}.values():
        batch.insert(
            tables.partners,
            (
                entry.id,
                entry.name,
                to_json(sorted(role.value for role in entry.roles)),
                to_json([[one.scheme, one.value] for one in entry.identifiers]),
                entry.language,
                entry.time_zone,
                entry.credit_grade,
                to_json(sorted(entry.acts_for)),
                entry.active,
                entry.direct_through.isoformat() if entry.direct_through else "",
                to_json(dict(entry.supervision_classes)),
                to_json(sorted(entry.regions)),
                entry.level.value if entry.level else "",
                entry.parent,
            ),
            "replace",
        )
        for one in entry.identifiers:
            batch.insert(tables.partner_identifiers, (one.scheme, one.value, entry.id), "replace")
        for role in entry.roles:
            batch.insert(tables.partner_roles, (role.value, entry.id), "ignore")


def version(connection: Connection) -> int:
    """How often the registry has changed."""
    counters = tables.counters.c
    return connection.execute(select(counters.value).where(counters.name == REGISTRY)).scalar() or 0


def changes(connection: Connection, since: int) -> RegistryChanges:
    """What has changed after the version `since`; everything where that is not known one by one."""
    now = version(connection)
    if now == since:
        return RegistryChanges(now)
    if since < 0 or not 0 < now - since < SKIP:
        return RegistryChanges(now, everything=True)
    query = select(_changes.partner_id).where(_changes.version > since).order_by(_changes.version).limit(CHANGES + 1)
    ids = connection.execute(query).scalars().all()
    if len(ids) > CHANGES:
        return RegistryChanges(now, everything=True)
    names = connection.execute(
        select(_identifiers.scheme, _identifiers.value).where(among(_identifiers.partner_id, ids))
    )
    roles = connection.execute(select(_roles.role).distinct().where(among(_roles.partner_id, ids)))
    return RegistryChanges(
        now,
        partners=frozenset(ids),
        names=frozenset(Identifier(row.scheme, row.value) for row in names),
        roles=frozenset(roles.scalars()),
    )


def partners_by_id(connection: Connection, ids: Collection[str]) -> dict[str, Partner]:
    """Partners by id; those that are not there are left out."""
    if not ids:
        return {}
    rows = connection.execute(select(tables.partners).where(among(_partners.id, ids)))
    return {row.id: _partner_from(row) for row in rows}


def partners_by(connection: Connection, identifiers: Collection[Identifier]) -> dict[Identifier, Partner]:
    """Partners by what they go by; names that nobody goes by are left out."""
    if not identifiers:
        return {}
    query = (
        select(_identifiers.scheme, _identifiers.value, tables.partners)
        .join(tables.partners, _identifiers.partner_id == _partners.id)
        .where(matching((_identifiers.scheme, _identifiers.value), [(one.scheme, one.value) for one in identifiers]))
    )
    return {Identifier(row.scheme, row.value): _partner_from(row) for row in connection.execute(query)}


def partners(connection: Connection, after: str, limit: int, wanted: PartnersWanted = ANY_PARTNERS) -> list[Partner]:
    """Partners that are asked for with id > `after`, by id."""
    query = select(tables.partners).where(_partners.id > after)
    if wanted.role:
        query = query.join(tables.partner_roles, _roles.partner_id == _partners.id)
        # By the roles' own column, so that both engines walk that index.
        query = query.where(_roles.role == wanted.role, _roles.partner_id > after).order_by(_roles.partner_id)
    if wanted.grade:
        query = query.where(_GRADED, _partners.credit_grade == wanted.grade)
    if wanted.active is not None:
        query = query.where(_partners.active if wanted.active else _INACTIVE)
    if not wanted.role:
        query = query.order_by(_partners.id)
    query = query.limit(limit)
    return [_partner_from(row) for row in connection.execute(query)]


def partners_with_role(connection: Connection, role: str) -> list[Partner]:
    """Active partners that have `role`, by id."""
    query = (
        select(tables.partners)
        .join(tables.partner_roles, _roles.partner_id == _partners.id)
        .where(_roles.role == role, _partners.active)
        .order_by(_roles.partner_id)
    )
    return [_partner_from(row) for row in connection.execute(query)]


def agreements_by_id(connection: Connection, ids: Collection[str]) -> dict[str, Agreement]:
    """Agreements by id; those that are not there are left out."""
    query = select(_agreements.id, _agreements.terms).where(among(_agreements.id, ids))
    return {row.id: _agreement_from(row.terms) for row in connection.execute(query)}


def ids_beginning(connection: Connection, noun: str, beginning: str, limit: int) -> list[str]:
    """Ids of a table of the registry that begin so, at most `limit`; one that is all of `beginning` is alone."""
    id_ = tables.metadata.tables[noun].c.id
    if itself := connection.execute(select(id_).where(id_ == beginning)).scalar():
        return [itself]
    after = f"{beginning}\U0010ffff"
    if connection.dialect.name == "postgresql":
        # In the order of bytes, as the index for it has them; a database's own order may pass over hyphens.
        query = select(id_).where(
            id_.op("~>=~", is_comparison=True)(beginning), id_.op("~<~", is_comparison=True)(after)
        )
    else:
        query = select(id_).where(id_ >= beginning, id_ < after)
    return list(connection.execute(query.limit(limit)).scalars())


def agreements_of(connection: Connection, partner_ids: Iterable[str]) -> dict[str, list[Agreement]]:
    """All agreements of some partners, each partner's by id."""
    found: dict[str, list[Agreement]] = defaultdict(list)
    query = select(_agreements.partner_id, _agreements.terms).where(among(_agreements.partner_id, partner_ids))
    for row in connection.execute(query.order_by(_agreements.partner_id, _agreements.id)):
        found[row.partner_id].append(_agreement_from(row.terms))
    return found


def _partner_from(row: Row[Any]) -> Partner:
    return Partner(
        id=row.id,
        name=row.name,
        roles=frozenset(Role(role) for role in from_json(row.roles)),
        identifiers=tuple(Identifier(scheme, value) for scheme, value in from_json(row.identifiers)),
        language=row.language,
        time_zone=row.time_zone,
        credit_grade=row.credit_grade,
        acts_for=frozenset(from_json(row.acts_for)),
        active=row.active,
        direct_through=date.fromisoformat(row.direct_through) if row.direct_through else None,
        supervision_classes=from_json(row.supervision_classes),
        regions=frozenset(from_json(row.regions)),
        level=Level(row.level) if row.level else None,
        parent=row.parent,
    )


_MOMENTS = ("valid_from", "valid_until")
_TERMS = tuple(field.name for field in fields(Agreement))


def _terms(agreement: Agreement) -> str:
    terms = {name: getattr(agreement, name) for name in _TERMS}
    return to_json(terms | {name: maybe_to_time(terms[name]) for name in _MOMENTS})


def _agreement_from(terms: str) -> Agreement:
    said = from_json(terms)
    said["direction"] = Direction(said["direction"])
    said["strictness"] = Strictness(said["strictness"])
    said["acknowledge"] = Acknowledge(said["acknowledge"])
    for name in _MOMENTS:
        said[name] = maybe_from_time(said.get(name))
    return Agreement(**said)


_READERS: Mapping[type[Entry], Callable[[Connection, Collection[str]], Mapping[str, Entry]]] = {
    Partner: partners_by_id,
    Agreement: agreements_by_id,
    Credential: credentials.by_ids,
    Person: persons.by_id,
}
