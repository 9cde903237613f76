"""How often all nodes were asked to read their folders of tables, mappings, codes, rules and findings again.

It is a count that an operator's command moves on, and that each node compares with what it saw last.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from gateway.store import tables
from gateway.store.sql import insert_rows

_NAME = "catalogue"
"""The counter's name; it stands for itself, and no floor moves it on."""


def read_calls(connection: Connection) -> int:
    """How often they were asked so far."""
    query = select(tables.counters.c.value).where(tables.counters.c.name == _NAME)
    return connection.execute(query).scalar() or 0


def call(connection: Connection) -> None:
    """Ask once more."""
    insert_rows(connection, tables.counters, [(_NAME, 0)], "ignore")
    counter = tables.counters.c
    connection.execute(update(tables.counters).where(counter.name == _NAME).values(value=counter.value + 1))
