"""Counters by kind (`number:live:...`, `feed:live:...`): moved on together where the store may have forgotten some."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select, update

from gateway.store import tables
from gateway.store.sql import among, insert_rows

REGISTRY = "registry"
"""The counter that grows with every change of the registry."""


def floor_of(counter: str) -> str:
    """The counter that says from where counters of the same kind begin: a store that was set back has forgotten some."""
    return f"floor:{counter.partition(':')[0]}"


def read_counters(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """The last number that each of these counters gave; of one that is not begun, the floor of its kind."""
    counters = tables.counters.c
    floors = {name: floor_of(name) for name in names}
    query = select(counters.name, counters.value).where(among(counters.name, {*names, *floors.values()}))
    found = {row.name: row.value for row in connection.execute(query)}
    return {name: found.get(name, found.get(floors[name], 0)) for name in names}


def move_on(connection: Connection, kind: str, count: int) -> None:
    """Move all counters of a kind on by `count`, those too that are not begun."""
    counters, floor = tables.counters.c, floor_of(kind)
    insert_rows(connection, tables.counters, [(floor, 0)], "ignore")
    named = (counters.name == kind) | (counters.name == floor) | counters.name.startswith(f"{kind}:", autoescape=True)
    connection.execute(update(tables.counters).where(named).values(value=counters.value + count))
