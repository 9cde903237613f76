"""Counters by kind (`number:live:...`, `feed:live:...`): moved on together where the store may have forgotten some."""

from __future__ import annotations

from sqlalchemy import Connection, update

from gateway.store import tables
from gateway.store.sql import insert_rows


def floor_of(counter: str) -> str:
    """The counter that says from where counters of the same kind begin: a store that was set back has forgotten some."""
    return f"floor:{counter.partition(':')[0]}"


def move_on(connection: Connection, kind: str, count: int) -> None:
    """Move all counters of a kind on by `count`, those too that are not begun."""
    counters, floor = tables.counters.c, floor_of(kind)
    insert_rows(connection, tables.counters, [(floor, 0)], "ignore")
    named = (counters.name == kind) | (counters.name == floor) | counters.name.startswith(f"{kind}:", autoescape=True)
    connection.execute(update(tables.counters).where(named).values(value=counters.value + count))
