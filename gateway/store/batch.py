"""A batch: the one transaction that many operations share, and what its last statements write.

Handlers check their operations against the database, collect rows, and are told log indexes and
sequence numbers as they go; `flush` writes what was collected with a few statements, and `seal`
ends the transaction's work with the receipts, the Merkle nodes and one signed checkpoint.

The numbers may be told early because the whole transaction holds one lock: SQLite has one writer by
its nature, and on PostgreSQL each node takes the same advisory lock first. The lock covers the
checks too, not only the last statements: it would be held through the commit's disk write in any
case, which is by far its longest part, and so facts, duplicates and lanes are judged against
everything that was committed before, without a race to think about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection, Table, select

from gateway.model import Receipt
from gateway.receipt.chain import Frontier, leaf_hash
from gateway.store import tables
from gateway.store.anchor import Checkpointer
from gateway.store.contract import NewReceipt
from gateway.store.database import lock_writers
from gateway.store.log import LogState, read_state, write_state
from gateway.store.sql import OnConflict, Row, among, insert_rows

_OWNERS_FIRST = tables.metadata.sorted_tables


class Batch:
    """One transaction under the writers' lock."""

    def __init__(self, connection: Connection, checkpointer: Checkpointer) -> None:
        self.connection = connection
        self._checkpointer = checkpointer
        lock_writers(connection)
        self._rows: dict[tuple[Table, OnConflict], list[Row]] = defaultdict(list)
        self._receipts: list[Receipt] = []
        self._state: LogState | None = None
        self._counters: dict[str, int] = {}

    def insert(self, table: Table, row: Row, on_conflict: OnConflict = "") -> None:
        """Collect a row for the next flush."""
        self._rows[table, on_conflict].append(row)

    def append(self, receipt: NewReceipt) -> Receipt:
        """Give a receipt its place in the log, after all that went before."""
        placed = Receipt(self.log.frontier.size + len(self._receipts), receipt.stage, receipt.subject_id, receipt.body)
        self._receipts.append(placed)
        return placed

    @property
    def log(self) -> LogState:
        """The log as committed before this batch."""
        if self._state is None:
            self._state = read_state(self.connection) or LogState(self._checkpointer.name, Frontier())
        return self._state

    def next_number(self, counter: str) -> int:
        """The next number of `counter`, from 1, without gaps unless this transaction fails."""
        if counter not in self._counters:
            self.read_counters([counter])
        self._counters[counter] += 1
        return self._counters[counter]

    def read_counters(self, names: Iterable[str]) -> None:
        """Read several counters with one query."""
        wanted = [name for name in dict.fromkeys(names) if name not in self._counters]
        if not wanted:
            return
        counters = tables.counters
        query = select(counters.c.name, counters.c.value).where(among(counters.c.name, wanted))
        found = {row.name: row.value for row in self.connection.execute(query)}
        self._counters.update({name: found.get(name, 0) for name in wanted})

    def flush(self) -> None:
        """Write the collected rows, owners before what they own."""
        if not self._rows:
            return
        for table in _OWNERS_FIRST:
            for mode in ("", "ignore", "replace"):
                rows = self._rows.get((table, mode))
                if rows:
                    insert_rows(self.connection, table, rows, mode)
        self._rows.clear()

    def seal(self) -> str:
        """Write what is left, counters, receipts, nodes and the checkpoint; gives the signed note, if any.

        The note must not leave before the commit.
        """
        for name, value in self._counters.items():
            self.insert(tables.counters, (name, value), "replace")
        if not self._receipts:
            self.flush()
            return ""
        frontier = self.log.frontier.copy()
        for node in frontier.append(leaf_hash(receipt.body) for receipt in self._receipts):
            self.insert(tables.tree_nodes, node)
        for receipt in self._receipts:
            self.insert(tables.receipts, (receipt.index, receipt.stage.value, receipt.subject_id, receipt.body))
        note = self._checkpointer.sign(self.log.origin, frontier)
        self.insert(tables.checkpoints, (frontier.size, self.log.origin, note))
        self.flush()
        write_state(self.connection, LogState(self.log.origin, frontier))
        return note
