"""Subjects of the registry: every version of what is registered of them, as commit 2 writes it and decisions read it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, select

from gateway.model import SubjectVersion
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.sql import from_time, matching, pack_json, to_time, unpack_json

_subjects = tables.subjects.c
_KEY = (_subjects.scheme, _subjects.value, _subjects.test)

Key = tuple[str, str, bool]
"""The subject that goes by a value in a scheme, in live or in test traffic."""


def write(batch: Batch, version: SubjectVersion) -> None:
    """Collect the row of a version."""
    assert version.at is not None, "whoever registers something was heard at some time"
    row = (
        version.scheme,
        version.value,
        version.test,
        version.version,
        version.valid_from.isoformat(),
        version.state,
        version.name,
        pack_json(version.attributes),
        version.partner_id,
        version.occasion,
        to_time(version.at),
    )
    batch.insert(tables.subjects, row)


def read(connection: Connection, keys: Collection[Key]) -> dict[Key, list[SubjectVersion]]:
    """All versions of these subjects, in order; those of which nothing is registered are left out."""
    found: dict[Key, list[SubjectVersion]] = defaultdict(list)
    if keys:
        for row in connection.execute(select(tables.subjects).where(matching(_KEY, keys))):
            found[row.scheme, row.value, row.test].append(_version_from(row))
    for versions in found.values():
        versions.sort(key=lambda one: one.version)
    return found


def of_scheme(connection: Connection, scheme: str) -> list[SubjectVersion]:
    """All versions of everybody who goes by a value in `scheme` in live traffic, by value and version."""
    query = select(tables.subjects).where(_subjects.scheme == scheme, ~_subjects.test)
    query = query.order_by(_subjects.value, _subjects.version)
    return [_version_from(row) for row in connection.execute(query)]


def count_of_scheme(connection: Connection, scheme: str) -> int:
    """How many versions `of_scheme` gives: none is ever changed or removed, so that it tells of new ones."""
    query = select(func.count()).select_from(tables.subjects).where(_subjects.scheme == scheme, ~_subjects.test)
    return connection.execute(query).scalar() or 0


def newest(connection: Connection, keys: Collection[Key]) -> dict[Key, int]:
    """The number of the newest version of each of these subjects that has any."""
    if not keys:
        return {}
    query = select(*_KEY, func.max(_subjects.version).label("newest")).where(matching(_KEY, keys)).group_by(*_KEY)
    return {(row.scheme, row.value, row.test): row.newest for row in connection.execute(query)}


def _version_from(row: Row[Any]) -> SubjectVersion:
    return SubjectVersion(
        row.scheme,
        row.value,
        row.version,
        date.fromisoformat(row.valid_from),
        row.state,
        row.name,
        unpack_json(row.attributes),
        row.partner_id,
        row.occasion,
        from_time(row.at),
        row.test,
    )
