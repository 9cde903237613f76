"""Persons of the registry: how they are kept, and found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from gateway.model import HeldRole, Person
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.sql import among, from_json, maybe_from_time, maybe_to_time, to_json

_persons = tables.persons.c


def write(batch: Batch, person: Person) -> None:
    """Collect the row of a person."""
    roles = [
        [role.name, role.office, maybe_to_time(role.valid_from), maybe_to_time(role.valid_until)]
        for role in person.roles
    ]
    row = (person.id, person.partner_id, person.name, to_json(roles), person.language, person.active)
    batch.insert(tables.persons, row, "replace")


def owners(connection: Connection, entries: Sequence[Person]) -> set[str]:
    """The partners from whom an import of these takes a person."""
    if not entries:
        return set()
    query = select(_persons.partner_id).where(among(_persons.id, [entry.id for entry in entries]))
    return set(connection.execute(query).scalars())


def by_id(connection: Connection, ids: Collection[str]) -> dict[str, Person]:
    """Persons by id; those that are not there are left out."""
    if not ids:
        return {}
    rows = connection.execute(select(tables.persons).where(among(_persons.id, ids)))
    return {row.id: _person_from(row) for row in rows}


def of_partners(connection: Connection, partner_ids: Collection[str]) -> dict[str, list[Person]]:
    """All persons of some partners, each partner's by id, those too that are not active."""
    found: dict[str, list[Person]] = defaultdict(list)
    query = select(tables.persons).where(among(_persons.partner_id, partner_ids))
    for row in connection.execute(query.order_by(_persons.partner_id, _persons.id)):
        found[row.partner_id].append(_person_from(row))
    return found


def _person_from(row: Row[Any]) -> Person:
    roles = tuple(
        HeldRole(name, office, maybe_from_time(begin), maybe_from_time(end))
        for name, office, begin, end in from_json(row.roles)
    )
    return Person(row.id, row.partner_id, row.name, roles, row.language, row.active)
