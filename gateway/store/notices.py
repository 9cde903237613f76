"""How far each notice has told the alerts: a place on their feed, and who is telling, so that of several nodes one tells.

Both are counters: a place that only one node moves on at a time needs no more than a number and a term.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from gateway.store import tables
from gateway.store.feeds import ALERTS, feed_counter
from gateway.store.sql import insert_rows, to_time

_counters = tables.counters.c


def _place(name: str) -> str:
    return f"notices:place:{name}"


def _held(name: str) -> str:
    return f"notices:held:{name}"


def claim(connection: Connection, name: str, now: datetime, lease: timedelta) -> int | None:
    """Hold a notice for a while; the place up to which it has told the alerts, None where another node holds it.

    A notice that is new begins with what comes from now on: nobody wants a year's alerts at once.
    """
    insert_rows(connection, tables.counters, [(_held(name), 0)], "ignore")
    free = (_counters.name == _held(name)) & (_counters.value <= to_time(now))
    held = connection.execute(update(tables.counters).where(free).values(value=to_time(now + lease)))
    if held.rowcount != 1:
        return None
    end = _read(connection, feed_counter(ALERTS, test=False))
    insert_rows(connection, tables.counters, [(_place(name), end)], "ignore")
    # A place beyond the feed's end would keep back what comes until the feed is that long.
    return min(_read(connection, _place(name)), end)


def give_back(connection: Connection, name: str, place: int) -> None:
    """Note that everything up to `place` is told, and let any node go on."""
    for counter, value in ((_place(name), place), (_held(name), 0)):
        connection.execute(update(tables.counters).where(_counters.name == counter).values(value=value))


def _read(connection: Connection, counter: str) -> int:
    return connection.execute(select(_counters.value).where(_counters.name == counter)).scalar() or 0
