"""What is taken out of the registry: agreements, and partners of whom nothing is kept.

A partner that has sent or got anything stays: its id is in receipts, cases and payloads, and whoever came to the id next
would see them. Such a one is disabled. Credentials of a partner that is removed are ended and stay, so that no file that is
imported again opens a door that was shut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, exists, select, union_all, update

from gateway.decide.names import Name
from gateway.errors import GatewayError, NotFound, RegistryRefused
from gateway.model import Agreement, Changer, Partner
from gateway.store import registry, registry_audit, tables
from gateway.store.batch import Batch
from gateway.store.counters import REGISTRY
from gateway.store.sql import to_time


@dataclass(frozen=True, slots=True)
class Removal:
    """An order to take something out of the registry."""

    kind: type[Partner | Agreement]
    id: str
    at: datetime
    by: Changer


def removal_names(_order: Removal) -> Iterable[Name]:
    """What a removal touches: the registry as a whole, since its version counts every change."""
    yield ("counter", REGISTRY)


def remove(batch: Batch, orders: Sequence[Removal]) -> Sequence[GatewayError | None]:
    """Take out partners and agreements. NotFound where there is none, RegistryRefused for a partner of whom something is kept."""
    return [_remove_partner(batch, one) if one.kind is Partner else _remove_agreement(batch, one) for one in orders]


def _remove_partner(batch: Batch, order: Removal) -> GatewayError | None:
    connection = batch.connection
    partner = registry.partners_by_id(connection, [order.id]).get(order.id)
    if partner is None:
        return NotFound(partner_id=order.id)
    if _is_known_elsewhere(connection, order.id):
        return RegistryRefused("It has sent or got something, or takes part in a case; it can be disabled.")
    owned = (tables.agreements, tables.persons, tables.partner_identifiers, tables.partner_roles)
    _count_change(batch, partner.id)
    batch.tell(registry_audit.entry_of_removal(partner, order.at, order.by))
    for table in owned:
        connection.execute(delete(table).where(table.c.partner_id == order.id))
    credentials = tables.credentials.c
    still_good = (credentials.partner_id == order.id, credentials.revoked_at.is_(None))
    connection.execute(update(tables.credentials).where(*still_good).values(revoked_at=to_time(order.at)))
    connection.execute(delete(tables.partners).where(tables.partners.c.id == order.id))
    return None


def _remove_agreement(batch: Batch, order: Removal) -> GatewayError | None:
    agreement = registry.agreements_by_id(batch.connection, [order.id]).get(order.id)
    if agreement is None:
        return NotFound(agreement_id=order.id)
    _count_change(batch, agreement.partner_id)
    batch.tell(registry_audit.entry_of_removal(agreement, order.at, order.by))
    batch.connection.execute(delete(tables.agreements).where(tables.agreements.c.id == order.id))
    return None


def _count_change(batch: Batch, partner_id: str) -> None:
    batch.insert(tables.registry_changes, (partner_id, batch.next_number(REGISTRY)), "replace")
    batch.flush()


def _is_known_elsewhere(connection: Connection, partner_id: str) -> bool:
    """Whether anything that is kept names the partner."""
    places = (tables.payloads, tables.deliveries, tables.deliveries_done, tables.case_partners, tables.subscriptions)
    found = union_all(*(select(exists().where(one.c.partner_id == partner_id)) for one in places))
    return any(connection.execute(found).scalars())
