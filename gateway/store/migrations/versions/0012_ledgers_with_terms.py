"""Ledgers have terms and entries in place of a bare balance, and several numbers may be given out for one occasion."""

from __future__ import annotations

from collections import defaultdict
from decimal import Context, Decimal

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_EXACT = Context(prec=60)


def upgrade() -> None:
    """A balance becomes an account without terms: what was added to it is granted, what was drawn is used.

    Each message's move is an entry under the message's id. Sums are those of the entries.
    """
    connection = op.get_bind()
    accounts = connection.execute(sa.text("SELECT name, test, version FROM ledgers")).all()
    moves = connection.execute(sa.text("SELECT ledger, test, message_id, amount FROM ledger_moves")).all()
    op.drop_table("ledgers")
    op.drop_table("ledger_moves")
    ledgers = op.create_table(
        "ledgers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("granted", sa.Text(), nullable=False),
        sa.Column("reserved", sa.Text(), nullable=False),
        sa.Column("used", sa.Text(), nullable=False),
        sa.Column("draws", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.Text(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", "test"),
    )
    op.create_index("ledgers_holder", "ledgers", ["holder", "test", "name"])
    entries = op.create_table(
        "ledger_entries",
        sa.Column("ledger", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("granted", sa.Text(), nullable=False),
        sa.Column("reserved", sa.Text(), nullable=False),
        sa.Column("used", sa.Text(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("ledger", "test", "entry"),
        sqlite_with_rowid=False,
    )
    granted: dict[tuple[str, bool], Decimal] = defaultdict(Decimal)
    used: dict[tuple[str, bool], Decimal] = defaultdict(Decimal)
    draws: dict[tuple[str, bool], int] = defaultdict(int)
    lines: list[dict[str, object]] = []
    for move in moves:
        key, amount = (move.ledger, bool(move.test)), Decimal(move.amount)
        adds = amount >= 0
        if adds:
            granted[key] = _EXACT.add(granted[key], amount)
        else:
            used[key] = _EXACT.subtract(used[key], amount)
            draws[key] += 1
        lines.append(
            {
                "ledger": move.ledger,
                "test": bool(move.test),
                "entry": move.message_id,
                "state": "granted" if adds else "used",
                "granted": format(amount, "f") if adds else "0",
                "reserved": "0",
                "used": "0" if adds else format(-amount, "f"),
                "final": False,
                "case_id": "",
                "by": move.message_id,
                "at": None,
            }
        )
    heads = [
        {
            "name": account.name,
            "test": bool(account.test),
            "version": account.version,
            "unit": "",
            "holder": "",
            "terms": "{}",
            "granted": format(granted[account.name, bool(account.test)], "f"),
            "reserved": "0",
            "used": format(used[account.name, bool(account.test)], "f"),
            "draws": draws[account.name, bool(account.test)],
            "last": "",
            "closed": False,
        }
        for account in accounts
    ]
    op.bulk_insert(ledgers, heads)
    op.bulk_insert(entries, lines)
    _number_slots()


def _number_slots() -> None:
    """A number is given for a slot: of those given out so far, the case that the message came to."""
    _make_reservations("reservations_now", "slot", "attempt")
    op.execute(
        "INSERT INTO reservations_now (for_id, counter, slot, attempt, value) SELECT r.for_id, r.counter, "
        "coalesce((SELECT m.case_id FROM messages m WHERE m.id = r.for_id), ''), 1, r.value FROM reservations r"
    )
    op.drop_table("reservations")
    op.rename_table("reservations_now", "reservations")


def _make_reservations(name: str, *more: str) -> None:
    """The table of numbers given out, each for an occasion and a counter, and `more` where it has that."""
    slots = [sa.Column(one, sa.Text() if one == "slot" else sa.BigInteger(), nullable=False) for one in more]
    op.create_table(
        name,
        sa.Column("for_id", sa.Text(), nullable=False),
        sa.Column("counter", sa.Text(), nullable=False),
        *slots,
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("for_id", "counter", *more),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """A balance is what is available; terms, reservations and further numbers of an occasion are lost."""
    connection = op.get_bind()
    accounts = connection.execute(sa.text("SELECT name, test, version, granted, used FROM ledgers")).all()
    lines = connection.execute(sa.text("SELECT ledger, test, entry, state, granted, used FROM ledger_entries")).all()
    for table in ("ledgers", "ledger_entries"):
        op.drop_table(table)
    ledgers = op.create_table(
        "ledgers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("balance", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "test"),
    )
    moves = op.create_table(
        "ledger_moves",
        sa.Column("ledger", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ledger", "test", "message_id"),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(
        ledgers,
        [
            {
                "name": one.name,
                "test": bool(one.test),
                "balance": format(_EXACT.subtract(Decimal(one.granted), Decimal(one.used)), "f"),
                "version": one.version,
            }
            for one in accounts
        ],
    )
    op.bulk_insert(
        moves,
        [
            {
                "ledger": one.ledger,
                "test": bool(one.test),
                "message_id": one.entry,
                "amount": one.granted if one.state == "granted" else format(-Decimal(one.used), "f"),
            }
            for one in lines
            if one.state in ("granted", "used")
        ],
    )
    _make_reservations("reservations_before")
    op.execute(
        "INSERT INTO reservations_before (for_id, counter, value) "
        "SELECT for_id, counter, min(value) FROM reservations GROUP BY for_id, counter"
    )
    op.drop_table("reservations")
    op.rename_table("reservations_before", "reservations")
