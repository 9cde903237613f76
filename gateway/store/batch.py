"""A batch: the one transaction that many operations share, and what its last statements write.

It has two halves. In the first, handlers judge their operations against the database and collect rows;
on PostgreSQL the batch holds the names that its operations touch meanwhile, so that facts, duplicates and
lanes are judged against everything that was committed before, without a race to think about, while other
nodes judge what has other names. In the second half it holds the log's lock as well: receipts get their
index, deliveries and feeds their sequence numbers, and `seal` ends the transaction's work with the
receipts, the Merkle nodes and one signed checkpoint. That lock is held through the commit's disk write, since
numbers must follow the order of commits; so it is taken last, when nothing is left to wait for but the disk.

SQLite has one writer by its nature; there neither lock is a lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Table

from gateway.decide.names import Name
from gateway.model import AuditEntry, Receipt
from gateway.receipt.anchor import audit_name
from gateway.receipt.chain import Frontier, leaf_hash
from gateway.receipt.entries import write_entry
from gateway.store import tables
from gateway.store.contract import NewReceipt
from gateway.store.counters import read_counters
from gateway.store.database import lock_log, lock_names, try_names
from gateway.store.leaves import pack_leaf
from gateway.store.log import AUDIT, RECEIPTS, LogState, LogTables, read_state, write_state
from gateway.store.sql import OnConflict, Row, insert_rows

if TYPE_CHECKING:  # what a log's break writes (`breaks`) has the names of feeds from those who write them with batches
    from gateway.store.anchor import Checkpointer

_OWNERS_FIRST = tables.metadata.sorted_tables


class Batch:
    """One transaction, which holds the names that its operations touch."""

    def __init__(self, connection: Connection, checkpointer: Checkpointer, names: set[Name]) -> None:
        """`names` are held from now on; those that turn up meanwhile are added to it, for the next run."""
        self.connection = connection
        self._checkpointer = checkpointer
        self._names = names
        self._held = lock_names(connection, names)
        self._in_log = False
        self._rows: dict[tuple[Table, OnConflict], list[Row]] = defaultdict(list)
        self._receipts: list[Receipt] = []
        self._audit: list[AuditEntry] = []
        self._state: LogState | None = None
        self._counters: dict[str, int] = {}
        self.audit_note = ""
        """The signed note over the audit, once this batch is sealed and where it tells something; it leaves after the commit."""

    @property
    def shared(self) -> bool:
        """Whether other nodes may be writing meanwhile; where not, nothing need be looked for only to be held."""
        return self.connection.dialect.name == "postgresql"

    def hold(self, names: Iterable[Name]) -> None:
        """Hold further names, that only the database could tell. RunAgain where another transaction holds one.

        To be asked for in the first half: whoever is in the log waits for no name, and nobody may wait for it.
        """
        assert not self._in_log, "names are held before the log is entered"
        wanted = set(names)
        self._names |= wanted
        self._held = try_names(self.connection, wanted, self._held)

    def enter_log(self) -> None:
        """Begin the second half: what is collected is written first, and then the log's lock is taken, last of all."""
        if not self._in_log:
            self.flush()
            lock_log(self.connection)
            self._in_log = True

    def insert(self, table: Table, row: Row, on_conflict: OnConflict = "") -> None:
        """Collect a row for the next flush."""
        self._rows[table, on_conflict].append(row)

    def append(self, receipt: NewReceipt) -> Receipt:
        """Give a receipt its place in the log, after all that went before."""
        placed = Receipt(self.log.frontier.size + len(self._receipts), receipt.stage, receipt.subject_id, receipt.body)
        self._receipts.append(placed)
        return placed

    def tell(self, entry: AuditEntry) -> None:
        """Let the audit say so, after all that it said before."""
        self._audit.append(entry)

    @property
    def log(self) -> LogState:
        """The log as committed before this batch. LogContradicted where it is not the one that was signed last."""
        assert self._in_log, "the log is read by whoever is the only one to append to it"
        if self._state is None:
            self._state = self._checkpointer.look(self.connection)
        return self._state

    def next_number(self, counter: str) -> int:
        """The next number of `counter`, from 1, without gaps unless this transaction fails or the store was set back.

        Nobody else may draw from it meanwhile: its name is held, or the log has been entered.
        """
        if counter not in self._counters:
            self.read_counters([counter])
        self._counters[counter] += 1
        return self._counters[counter]

    def read_counters(self, names: Iterable[str]) -> None:
        """Read several counters with one query."""
        wanted = [name for name in dict.fromkeys(names) if name not in self._counters]
        if wanted:
            self._counters |= read_counters(self.connection, wanted)

    def flush(self) -> None:
        """Write the collected rows, owners before what they own."""
        if not self._rows:
            return
        for table in _OWNERS_FIRST:
            for mode in ("", "ignore", "replace"):
                rows = self._rows.get((table, mode))
                if rows:
                    # What another node may be inserting too is waited for, and by all nodes in the same order.
                    insert_rows(self.connection, table, sorted(rows) if mode == "ignore" else rows, mode)
        self._rows.clear()

    def seal(self) -> str:
        """Write what is left, counters, receipts, nodes and the checkpoint; gives the signed note, if any.

        The note must not leave before the commit.
        """
        if self._receipts or self._audit:
            self.enter_log()
        if self._audit:
            self._seal_audit()
        for name, value in self._counters.items():
            self.insert(tables.counters, (name, value), "replace")
        if not self._receipts:
            self.flush()
            return ""
        for receipt in self._receipts:
            row = (receipt.index, receipt.stage.value, receipt.subject_id, pack_leaf(receipt.body))
            self.insert(tables.receipts, row)
        return self._grow(RECEIPTS, self.log, [receipt.body for receipt in self._receipts])

    def _seal_audit(self) -> None:
        """Write what the audit says, under the name that the log of receipts has now."""
        origin = audit_name(self.log.origin)
        before = read_state(self.connection, AUDIT)
        frontier = before.frontier if before is not None else Frontier()
        bodies = [write_entry(entry, origin) for entry in self._audit]
        for index, (entry, body) in enumerate(zip(self._audit, bodies, strict=True), frontier.size):
            told = (entry.action, entry.task_id or entry.subject, entry.partner_id, entry.person_id, entry.case_id)
            self.insert(tables.audit_entries, (index, *told, pack_leaf(body)))
        self.audit_note = self._grow(AUDIT, LogState(origin, frontier), bodies)

    def _grow(self, kept: LogTables, state: LogState, bodies: Sequence[bytes]) -> str:
        """Append leaves to a log, sign what it is then, and keep that; the signed note."""
        frontier = state.frontier.copy()
        for node in frontier.append(map(leaf_hash, bodies)):
            self.insert(kept.nodes, node)
        note = self._checkpointer.sign(state.origin, frontier)
        self.insert(kept.checkpoints, (frontier.size, state.origin, note))
        self.flush()
        write_state(self.connection, LogState(state.origin, frontier), kept)
        return note
