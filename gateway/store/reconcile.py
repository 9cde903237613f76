"""What an operator sees and does after the store was set back: held deliveries and payloads, numbers, open breaks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, select, update

from gateway.model import DeliveryState, HeldFor
from gateway.store import breaks, tables
from gateway.store.contract import HeldPayload, Reconciliation
from gateway.store.counters import move_on
from gateway.store.database import lock_all_names
from gateway.store.deliveries import delivery_from
from gateway.store.sql import from_time

_hot, _inbox, _breaks = tables.deliveries.c, tables.inbox.c, tables.log_breaks.c
_UNDECIDED = _inbox.lease_until == tables.HELD_LEASE


def reconciliation(connection: Connection, partner_id: str, limit: int) -> Reconciliation:
    """What is held, of one partner unless it is empty, at most `limit` of each kind; and all breaks."""
    held, waiting = _held(partner_id), _undecided(partner_id)
    rows = connection.execute(held.order_by(_hot.sequence).limit(limit)).all()
    payloads = connection.execute(waiting.order_by(_inbox.arrival).limit(limit)).all()
    return Reconciliation(
        tuple(breaks.read_all(connection)),
        tuple(delivery_from(row) for row in rows),
        _count(connection, held),
        tuple(HeldPayload(row.id, row.partner_id, from_time(row.received_at)) for row in payloads),
        _count(connection, waiting),
    )


def held_deliveries(connection: Connection, partner_id: str) -> list[str]:
    """Ids of held deliveries, of one partner unless it is empty, in the order of their lanes."""
    return [row.id for row in connection.execute(_held(partner_id).order_by(_hot.sequence))]


def _held(partner_id: str) -> Select[Any]:
    query = select(tables.deliveries).where(
        _hot.state == DeliveryState.HELD.value, _hot.held_for == HeldFor.SET_BACK.value
    )
    return query.where(_hot.partner_id == partner_id) if partner_id else query


def _undecided(partner_id: str) -> Select[Any]:
    owners = tables.payloads.c
    query = select(owners.id, owners.partner_id, owners.received_at)
    query = query.join(tables.inbox, _inbox.payload_id == owners.id).where(_UNDECIDED)
    return query.where(owners.partner_id == partner_id) if partner_id else query


def _count(connection: Connection, query: Select[Any]) -> int:
    return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()


def release_payloads(connection: Connection) -> int:
    """Let held payloads be decided; how many were held."""
    return connection.execute(update(tables.inbox).where(_UNDECIDED).values(lease_until=0)).rowcount


def skip_numbers(connection: Connection, count: int) -> None:
    """Move the counters of document numbers on."""
    lock_all_names(connection)
    move_on(connection, "number", count)


def close_breaks(connection: Connection, at: int) -> bool:
    """Mark open breaks reconciled if nothing is held any more; whether nothing is."""
    if _count(connection, _held("").limit(1)) or _count(connection, _undecided("").limit(1)):
        return False
    opened = update(tables.log_breaks).where(_breaks.reconciled_at.is_(None))
    connection.execute(opened.values(reconciled_at=at))
    return True
