"""The registry: partners with their identifiers and roles, agreements; bulk import and lookups.

There are hundreds of thousands of partners. An import passes through in chunks, each a transaction of
its own, so that memory stays flat and the writers' lock is never held for long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, delete, select

from gateway.decide.names import Name
from gateway.errors import GatewayError
from gateway.model import (
    Acknowledge,
    Agreement,
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
from gateway.store.contract import RegistryChanges
from gateway.store.counters import REGISTRY
from gateway.store.sql import among, from_json, matching, to_json

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


def chunks(entries: Iterable[T]) -> Iterator[list[T]]:
    """`entries` in lists of at most CHUNK."""
    iterator = iter(entries)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def import_names(_entries: Sequence[Entry]) -> Iterable[Name]:
    """What an import touches: the registry as a whole, since its version counts every import."""
    yield ("counter", REGISTRY)


def import_entries(batch: Batch, imports: Sequence[Sequence[Entry]]) -> Sequence[GatewayError | None]:
    """Add or replace partners, agreements, credentials and persons; what comes later in an import wins."""
    number = batch.next_number(REGISTRY)
    for entries in imports:
        for partner_id in _owners(batch.connection, entries):
            batch.insert(tables.registry_changes, (partner_id, number), "replace")
        before = partners_by_id(batch.connection, [entry.id for entry in entries if isinstance(entry, Partner)])
        for told in registry_audit.entries_of_import(batch.connection, entries, before, number, datetime.now(UTC)):
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


def partners(connection: Connection, after: str, limit: int) -> list[Partner]:
    """Partners with id > `after`, by id."""
    query = select(tables.partners).where(_partners.id > after).order_by(_partners.id).limit(limit)
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


def _terms(agreement: Agreement) -> str:
    return to_json(asdict(agreement))


def _agreement_from(terms: str) -> Agreement:
    fields = from_json(terms)
    fields["direction"] = Direction(fields["direction"])
    fields["strictness"] = Strictness(fields["strictness"])
    fields["acknowledge"] = Acknowledge(fields["acknowledge"])
    return Agreement(**fields)
