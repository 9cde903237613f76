"""Accounts and their entries as commit 2 writes them, and as decisions and people read them.

A sum is decimal text: it is exact on both engines, and never added up by either.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select

from gateway.model import Account, Entry, EntryState, Terms, ToleranceOf
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.contract import AccountChange
from gateway.store.sql import from_json, matching, maybe_from_time, maybe_to_time, to_json

_accounts, _entries = tables.ledgers.c, tables.ledger_entries.c

AccountKey = tuple[str, bool]
"""An account of live or of test traffic: (name, test)."""
EntryKey = tuple[str, bool, str]
"""One of its entries: (account, test, id)."""


def write(batch: Batch, change: AccountChange) -> None:
    """Collect the rows of an account and its entries as they are then."""
    one = change.account
    batch.insert(
        tables.ledgers,
        (
            one.name,
            one.test,
            one.version,
            one.unit,
            one.holder,
            to_json(_terms_json(one.terms)),
            _plain(one.granted),
            _plain(one.reserved),
            _plain(one.used),
            one.draws,
            one.last,
            one.closed,
        ),
        "replace",
    )
    for entry in change.entries:
        batch.insert(
            tables.ledger_entries,
            (
                entry.account,
                entry.test,
                entry.id,
                entry.state.value,
                _plain(entry.granted),
                _plain(entry.reserved),
                _plain(entry.used),
                entry.final,
                entry.case_id,
                entry.by,
                maybe_to_time(entry.at),
            ),
            "replace",
        )


def read(connection: Connection, keys: Collection[AccountKey]) -> dict[AccountKey, Account]:
    """Accounts by name and traffic; those that are not there are left out."""
    if not keys:
        return {}
    query = select(tables.ledgers).where(matching((_accounts.name, _accounts.test), keys))
    return {(row.name, row.test): _account(row) for row in connection.execute(query)}


def read_entries(connection: Connection, keys: Collection[EntryKey]) -> dict[EntryKey, Entry]:
    """Entries by account, traffic and id; those that are not there are left out."""
    if not keys:
        return {}
    columns = (_entries.ledger, _entries.test, _entries.entry)
    query = select(tables.ledger_entries).where(matching(columns, keys))
    return {(row.ledger, row.test, row.entry): _entry(row) for row in connection.execute(query)}


def read_page(connection: Connection, holder: str, after: str, limit: int, *, test: bool) -> list[Account]:
    """Accounts in the order of their names, of one holder unless that is empty."""
    query = select(tables.ledgers).where(_accounts.test == test, _accounts.name > after)
    if holder:
        query = query.where(_accounts.holder == holder)
    return [_account(row) for row in connection.execute(query.order_by(_accounts.name).limit(limit))]


def read_entries_page(connection: Connection, account: str, after: str, limit: int, *, test: bool) -> list[Entry]:
    """An account's entries in the order of their ids."""
    query = select(tables.ledger_entries).where(
        _entries.ledger == account, _entries.test == test, _entries.entry > after
    )
    return [_entry(row) for row in connection.execute(query.order_by(_entries.entry).limit(limit))]


def _account(row: Row[Any]) -> Account:
    return Account(
        row.name,
        row.version,
        row.unit,
        row.holder,
        _read_terms(from_json(row.terms)),
        Decimal(row.granted),
        Decimal(row.reserved),
        Decimal(row.used),
        row.draws,
        row.last,
        row.closed,
        row.test,
    )


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        row.ledger,
        row.entry,
        EntryState(row.state),
        Decimal(row.granted),
        Decimal(row.reserved),
        Decimal(row.used),
        row.final,
        row.case_id,
        row.by,
        maybe_from_time(row.at),
        row.test,
    )


def _terms_json(terms: Terms) -> dict[str, object]:
    """Terms without what they leave open."""
    told: dict[str, object] = {
        "valid_from": terms.valid_from.isoformat() if terms.valid_from else None,
        "valid_until": terms.valid_until.isoformat() if terms.valid_until else None,
        "draws_max": terms.draws_max,
        "tolerance_percent": _plain(terms.tolerance_percent) if terms.tolerance_percent else None,
        "tolerance_of": None if terms.tolerance_of is ToleranceOf.GRANTED else terms.tolerance_of.value,
        "one_use": terms.one_use or None,
        "places": sorted(terms.places) or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _read_terms(told: dict[str, Any]) -> Terms:
    return Terms(
        _moment(told.get("valid_from")),
        _moment(told.get("valid_until")),
        told.get("draws_max"),
        Decimal(told.get("tolerance_percent", 0)),
        ToleranceOf(told.get("tolerance_of", ToleranceOf.GRANTED)),
        told.get("one_use", False),
        frozenset(told.get("places", ())),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _plain(amount: Decimal) -> str:
    return format(amount, "f")
