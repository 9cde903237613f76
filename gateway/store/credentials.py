"""Credentials of partners: what is kept of them, how one that is shown is found, and how one is ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, select, text, tuple_, union_all, update

from gateway.decide.names import Name
from gateway.errors import GatewayError, NotFound
from gateway.model import OPERATOR, Changer, Credential, CredentialKind, CredentialUse
from gateway.store import registry_audit, tables
from gateway.store.batch import Batch
from gateway.store.counters import REGISTRY
from gateway.store.sql import among, from_json, from_time, maybe_from_time, maybe_to_time, to_json, to_time

_columns = tables.credentials.c
_SHOWN = text("use = 'in'")
_ENDS = text("valid_until IS NOT NULL")
"""As the indexes have them, so that both engines see that these serve."""


def _same(entries: Sequence[Credential]) -> ColumnElement[bool]:
    """Rows that these replace: those of their ids, and those whose secret they are."""
    shown = [entry.hash for entry in entries if entry.use is CredentialUse.IN]
    of_these = select(_columns.id).where(among(_columns.id, [entry.id for entry in entries]))
    # Two look-ups put together: of one condition with an alternative the planner may walk the table.
    return _columns.id.in_(union_all(of_these, select(_columns.id).where(_SHOWN, among(_columns.hash, shown))))


def secret_of(one: Any) -> tuple[str, str, str]:
    """What tells secrets apart, of a credential or its row: one that is shown is one credential; what signs or encrypts may be several partners'."""
    return one.hash, one.use, "" if one.use == CredentialUse.IN else one.id


def owners(connection: Connection, entries: Sequence[Credential]) -> set[str]:
    """The partners from whom an import of these takes a credential."""
    return set(connection.execute(select(_columns.partner_id).where(_same(entries))).scalars()) if entries else set()


def replace(batch: Batch, entries: Sequence[Credential]) -> None:
    """Add or replace credentials; of two with one id or one secret the later counts.

    A secret that was revoked stays so: whoever imports an old file again must not open a door that an operator shut.
    """
    if not entries:
        return
    by_secret: dict[tuple[str, str, str], Credential] = {}
    for entry in {entry.id: entry for entry in entries}.values():
        by_secret[secret_of(entry)] = entry
    query = select(_columns.id, _columns.hash, _columns.use, _columns.revoked_at).where(_same(entries))
    ended = batch.connection.execute(query.where(_columns.revoked_at.is_not(None), _columns.hash != ""))
    revoked = {secret_of(row): from_time(row.revoked_at) for row in ended}
    # One that comes again under its id has a new secret: the old hash must not open anything.
    batch.connection.execute(delete(tables.credentials).where(_same(entries)))
    for secret, entry in by_secret.items():
        ends = [end for end in (entry.revoked_at, revoked.get(secret)) if end is not None]
        batch.insert(tables.credentials, _row(entry, min(ends, default=None)))


def _row(entry: Credential, revoked_at: datetime | None) -> tuple[Any, ...]:
    return (
        entry.id,
        entry.partner_id,
        entry.kind.value,
        entry.use.value,
        entry.hash,
        entry.material,
        entry.reference,
        to_json(sorted(entry.scopes)),
        entry.test,
        entry.label,
        maybe_to_time(entry.valid_from),
        maybe_to_time(entry.valid_until),
        maybe_to_time(revoked_at),
        entry.person_id,
    )


@dataclass(frozen=True, slots=True)
class Revocation:
    """An operator's order to end a credential."""

    id: str
    at: datetime
    by: Changer = OPERATOR


def revocation_names(_order: Revocation) -> Iterable[Name]:
    """What ending a credential touches: the registry as a whole, since its version counts every change."""
    yield ("counter", REGISTRY)


def revoke(batch: Batch, orders: Sequence[Revocation]) -> Sequence[GatewayError | None]:
    """End credentials from a moment on; an earlier end that was set before stays. NotFound where there is none."""
    query = select(_columns.id, _columns.partner_id, _columns.revoked_at)
    rows = batch.connection.execute(query.where(among(_columns.id, [order.id for order in orders])))
    found = {row.id: row for row in rows}
    ends = {id_: row.revoked_at for id_, row in found.items()}
    answers: list[GatewayError | None] = []
    for order in orders:
        if order.id not in found:
            answers.append(NotFound(credential_id=order.id))
            continue
        at, before = to_time(order.at), ends[order.id]
        ends[order.id] = at if before is None else min(at, before)
        answers.append(None)
    for order in orders:
        if (ended := by_id(batch.connection, order.id)) is not None:
            batch.tell(registry_audit.entry_of_revocation(ended, order.at, order.by))
    for id_, row in found.items():
        batch.connection.execute(update(tables.credentials).where(_columns.id == id_).values(revoked_at=ends[id_]))
        batch.insert(tables.registry_changes, (row.partner_id, batch.next_number(REGISTRY)), "replace")
    return answers


def shown(connection: Connection, hashes: Iterable[str]) -> dict[str, Credential]:
    """The credentials that somebody shows, by the hashes of their secrets; whether one is valid is for others to judge."""
    query = select(tables.credentials).where(_SHOWN, among(_columns.hash, hashes))
    return {row.hash: _credential_from(row) for row in connection.execute(query)}


def by_id(connection: Connection, id_: str) -> Credential | None:
    """The credential of that id."""
    row = connection.execute(select(tables.credentials).where(_columns.id == id_)).one_or_none()
    return None if row is None else _credential_from(row)


def by_ids(connection: Connection, ids: Collection[str]) -> dict[str, Credential]:
    """Credentials by id; those that are not there are left out."""
    rows = connection.execute(select(tables.credentials).where(among(_columns.id, ids)))
    return {row.id: _credential_from(row) for row in rows}


def of_partners(connection: Connection, partner_ids: Collection[str]) -> dict[str, list[Credential]]:
    """All credentials of some partners, each partner's by id, those too that are over."""
    found: dict[str, list[Credential]] = defaultdict(list)
    query = select(tables.credentials).where(among(_columns.partner_id, partner_ids))
    for row in connection.execute(query.order_by(_columns.partner_id, _columns.id)):
        found[row.partner_id].append(_credential_from(row))
    return found


def ending(connection: Connection, after: datetime, until: datetime, limit: int, from_id: str = "") -> list[Credential]:
    """Credentials that end within a time and are not revoked, by their end and id; those behind `from_id` at `after`."""
    place = tuple_(_columns.valid_until, _columns.id)
    query = select(tables.credentials).where(
        _ENDS,
        place > tuple_(to_time(after), from_id),
        _columns.valid_until <= to_time(until),
        _columns.revoked_at.is_(None),
    )
    rows = connection.execute(query.order_by(_columns.valid_until, _columns.id).limit(limit))
    return [_credential_from(row) for row in rows]


def _credential_from(row: Row[Any]) -> Credential:
    return Credential(
        id=row.id,
        partner_id=row.partner_id,
        hash=row.hash,
        scopes=frozenset(from_json(row.scopes)),
        test=row.test,
        valid_from=maybe_from_time(row.valid_from),
        valid_until=maybe_from_time(row.valid_until),
        label=row.label,
        revoked_at=maybe_from_time(row.revoked_at),
        kind=CredentialKind(row.kind),
        use=CredentialUse(row.use),
        material=row.material,
        reference=row.reference,
        person_id=row.person_id,
    )
