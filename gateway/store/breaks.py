"""Breaks of the log: what is written when it must take a new name, in the one transaction that gives it that name.

The store has been set back, so it no longer knows what it sent and which numbers it gave out. All
deliveries and payloads that wait are held for an operator, since their recipients may have them
already; a worker in the middle of one loses it. Counters are moved on, past what may have been given
out in the lost history. What is accepted from now on goes its way.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, text, update

from gateway.model import DeliveryState, HeldFor, derive_id
from gateway.reasons import reason_json
from gateway.receipt.signed import canonical
from gateway.store import registry, tables
from gateway.store.alerts import ALERTS, OPERATOR
from gateway.store.body_rows import body_row
from gateway.store.contract import LogBreak
from gateway.store.counters import REGISTRY, move_on, read_counters
from gateway.store.feeds import feed_counter
from gateway.store.sql import from_time, insert_rows, maybe_from_time, maybe_to_time, to_time

UNSEEN = 1000
"""Entries of the log that may be lost beyond those that are known: the anchor is up to a second old, and a node
decides some hundreds of messages a second."""
LARGEST_SKIP = 10_000
"""Document numbers that are skipped unasked: they have six digits a year, so that a hundred breaks a year leave
enough. Whoever has lost more entries is told, and moves the counters on."""
ENTRIES_OF_ONE = 1000
"""Feed entries one entry of the log can come with: the effects a decision may have. Cursors of feeds have room."""

_hot, _inbox, _breaks = tables.deliveries.c, tables.inbox.c, tables.log_breaks.c


def numbers_to_skip(lost: int) -> int:
    """By how much counters of document numbers are moved on: each lost number has an entry of its own in the log."""
    return min(lost + UNSEEN, LARGEST_SKIP)


def hold(connection: Connection, at: datetime) -> None:
    """Hold what waits to be sent or decided; whoever is at one of them loses it."""
    # What its agreement or a person holds may be with its recipient as well: a lost release let it go, perhaps.
    waiting = update(tables.deliveries).where(_hot.held_for != HeldFor.SET_BACK.value)
    held = {
        "state": DeliveryState.HELD.value,
        "held_for": HeldFor.SET_BACK.value,
        "next_at": to_time(at),
        "due_at": None,
        "fence": _hot.fence + 1,
    }
    connection.execute(waiting.values(held))
    undecided = update(tables.inbox).where(_inbox.lease_until < tables.HELD_LEASE)
    connection.execute(undecided.values(lease_until=tables.HELD_LEASE, fence=_inbox.fence + 1))
    # Deadlines are not claimed before the break is reconciled; whoever is at one loses it.
    claimed = update(tables.deadlines).where(text("holder <> ''"))  # as the partial index says it
    connection.execute(claimed.values(fence=tables.deadlines.c.fence + 1))


def record(connection: Connection, found: LogBreak) -> None:
    """Keep a break, move the counters on, and tell the operator."""
    insert_rows(connection, tables.log_breaks, [_row(found)])
    move_on(connection, "number", found.skipped)
    move_on(connection, "feed", (found.lost + UNSEEN) * ENTRIES_OF_ONE)
    move_on(connection, REGISTRY, registry.SKIP)
    _alert(connection, found)


def _alert(connection: Connection, found: LogBreak) -> None:
    """An entry on the operator's feed, written here: the log has no batch while it takes a new name."""
    reasons = [reason_json(found.finding)]
    said = {"alert": "log", "case": "", "earlier": found.earlier, "lost": found.lost, "origin": found.origin}
    body = canonical({**said, "known_size": found.known_size, "reasons": reasons, "size": found.size})
    digest, alert_id = hashlib.sha256(body).hexdigest(), derive_id("break", found.origin)
    insert_rows(connection, tables.bodies, [body_row(alert_id, digest, body)], "ignore")
    counter = feed_counter(ALERTS, test=False)
    sequence = read_counters(connection, [counter])[counter] + 1
    insert_rows(connection, tables.counters, [(counter, sequence)], "replace")
    entry = (ALERTS, False, sequence, OPERATOR, "alert", alert_id)
    insert_rows(connection, tables.feed, [(*entry, digest, "{}", "json", "", "", to_time(found.at))])


def read_all(connection: Connection) -> list[LogBreak]:
    """All breaks, the newest first."""
    query = select(tables.log_breaks).order_by(_breaks.at.desc(), _breaks.origin.desc())
    return [_break_from(row) for row in connection.execute(query)]


def are_open(connection: Connection) -> bool:
    """Whether there is a break that nobody has reconciled."""
    return any(one.reconciled_at is None for one in read_all(connection))


def _row(found: LogBreak) -> tuple[Any, ...]:
    return tuple(maybe_to_time(value) if isinstance(value, datetime) else value for value in astuple(found))


def _break_from(row: Row[Any]) -> LogBreak:
    return LogBreak(
        origin=row.origin,
        earlier=row.earlier,
        at=from_time(row.at),
        size=row.size,
        known_origin=row.known_origin,
        known_size=row.known_size,
        why=row.why,
        lost=row.lost,
        lost_from=maybe_from_time(row.lost_from),
        lost_until=maybe_from_time(row.lost_until),
        skipped=row.skipped,
        reconciled_at=maybe_from_time(row.reconciled_at),
    )
