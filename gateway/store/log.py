"""The logs in the store, of receipts and of the audit: their trees, their checkpoints, and proofs from stored nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select

from gateway.errors import LogDamaged, NotFound
from gateway.model import Receipt, Stage
from gateway.receipt import chain
from gateway.receipt.chain import Frontier, Node
from gateway.store import tables
from gateway.store.contract import Proven
from gateway.store.sql import among, insert_rows, matching

_receipts, _nodes, _checkpoints = tables.receipts.c, tables.tree_nodes.c, tables.checkpoints.c
_STATE_ROW = 1


@dataclass(frozen=True, slots=True)
class LogState:
    """The log's name and its tree's right edge, as committed."""

    origin: str
    frontier: Frontier


@dataclass(frozen=True, slots=True)
class LogTables:
    """Where a log is kept, and by which columns its entries are found."""

    entries: Table
    kind: str
    """The column that says what an entry is."""
    subject: str
    """The column that says what it is about."""
    nodes: Table
    checkpoints: Table
    state: Table


RECEIPTS = LogTables(tables.receipts, "stage", "subject_id", tables.tree_nodes, tables.checkpoints, tables.log_state)
AUDIT = LogTables(
    tables.audit_entries, "action", "subject_id", tables.audit_nodes, tables.audit_checkpoints, tables.audit_state
)


def read_state(connection: Connection, kept: LogTables = RECEIPTS) -> LogState | None:
    """The log's state, or None before the first commit of all."""
    row = connection.execute(select(kept.state.c.origin, kept.state.c.frontier)).one_or_none()
    if row is None:
        return None
    try:
        return LogState(row.origin, Frontier.from_bytes(row.frontier))
    except ValueError as error:
        raise LogDamaged(str(error)) from error


def write_state(connection: Connection, state: LogState, kept: LogTables = RECEIPTS) -> None:
    """Keep the log's state."""
    insert_rows(connection, kept.state, [(_STATE_ROW, state.origin, state.frontier.to_bytes())], "replace")


def receipt_from(row: Sequence[Any]) -> Receipt:
    """The receipt of a row of its table."""
    index, stage, subject_id, body = row
    return Receipt(index, Stage(stage), subject_id, body)


def receipts_of(connection: Connection, subject_ids: Iterable[str]) -> list[Receipt]:
    """All receipts about these, in log order."""
    # Put in order here: asked for that order, an engine may walk the whole log in it.
    rows = connection.execute(select(tables.receipts).where(among(_receipts.subject_id, subject_ids)))
    return sorted((receipt_from(row) for row in rows), key=lambda receipt: receipt.index)


def receipts_after(connection: Connection, after: int, limit: int) -> list[Receipt]:
    """Receipts with index > `after`, in log order."""
    query = select(tables.receipts).where(_receipts.index > after).order_by(_receipts.index).limit(limit)
    return [receipt_from(row) for row in connection.execute(query)]


def newest_checkpoint(connection: Connection) -> tuple[int, str]:
    """The newest checkpoint: its size and the signed note; (0, "") before the first."""
    query = select(_checkpoints.size, _checkpoints.note).order_by(_checkpoints.size.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return (0, "") if row is None else (row.size, row.note)


def proven(connection: Connection, index: int) -> Proven:
    """A receipt with its inclusion proof against the newest checkpoint."""
    row = connection.execute(select(tables.receipts).where(_receipts.index == index)).one_or_none()
    if row is None:
        raise NotFound("the log has no such receipt", index=index)
    size, note = newest_checkpoint(connection)
    nodes = _Nodes(connection, chain.inclusion_nodes(index, size))
    return Proven(receipt_from(row), size, tuple(chain.inclusion_proof(index, size, nodes.get)), note)


def consistency(connection: Connection, old_size: int) -> tuple[tuple[bytes, ...], str]:
    """The proof that the newest checkpoint extends the tree of `old_size`, and that checkpoint."""
    size, note = newest_checkpoint(connection)
    if not 0 <= old_size <= size:
        raise NotFound("the log has never had that size", size=old_size)
    return consistency_proof(connection, old_size, size), note


def consistency_proof(connection: Connection, old: int, new: int, kept: LogTables = RECEIPTS) -> tuple[bytes, ...]:
    """The hashes that show the tree of `old` leaves to be the beginning of the one of `new`."""
    nodes = _Nodes(connection, chain.consistency_nodes(old, new), kept)
    return tuple(chain.consistency_proof(old, new, nodes.get))


def root_at(connection: Connection, size: int) -> bytes:
    """The root hash the tree had when it held `size` leaves."""
    return chain.root(size, _Nodes(connection, chain.root_nodes(size)).get)


class _Nodes:
    """Stored nodes, fetched with one query."""

    def __init__(self, connection: Connection, wanted: Sequence[Node], kept: LogTables = RECEIPTS) -> None:
        columns = kept.nodes.c
        query = select(kept.nodes).where(matching((columns.level, columns.index), wanted))
        self._found: dict[Node, bytes] = {}
        if wanted:
            self._found = {(level, index): value for level, index, value in connection.execute(query)}

    def get(self, level: int, index: int) -> bytes:
        """The hash of a node; LogDamaged where it is missing."""
        try:
            return self._found[level, index]
        except KeyError:
            raise LogDamaged("a node of the log's tree is missing", level=level, index=index) from None
