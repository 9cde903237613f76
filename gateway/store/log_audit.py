"""Reads a stored log for its audit, page by page, and keeps who audits it and how far that has come.

What is judged, and how, is said in `gateway.receipt.stored`. Each page is a short read of its own, so that it
holds up nobody: the log's state is read first, and everything before the end that it names is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    cast,
    func,
    or_,
    select,
    type_coerce,
    union_all,
    update,
)

from gateway.decide.names import Name
from gateway.receipt import chain
from gateway.receipt.chain import Node
from gateway.receipt.signed import Verifier
from gateway.receipt.stored import End, Note, Page, Row, StoredLog
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.contract import AuditMark
from gateway.store.leaves import Leaf, unpack_leaf
from gateway.store.log import RECEIPTS, LogTables
from gateway.store.sql import insert_rows

_counters = tables.counters.c

_PLACE, _UNTIL = "log audit place", "log audit until"
"""The counters that hold how far the audit has come, and until when, in microseconds, somebody holds it."""


def begin(connection: Connection, verifier: Verifier, place: int, kept: LogTables = RECEIPTS) -> StoredLog:
    """A log of which nothing was looked at, but for what the newest checkpoint of up to `place` entries vouches for."""
    log = StoredLog(verifier)
    note = _newest_note(connection, kept, place)
    if note is not None:
        log.resume(note, _Stored(connection, kept))
    return log


def go_on(connection: Connection, log: StoredLog, count: int, kept: LogTables = RECEIPTS) -> bool:
    """Let `log` judge the next `count` entries; True where it has come to the end, which was judged then."""
    end = read_end(connection, kept)
    upto = min(log.size + count, end.size)
    if log.size < upto:
        log.take(_page(connection, kept, log.size, upto), _Stored(connection, kept))
    if log.size < end.size:
        return False
    # On PostgreSQL each statement sees what was committed meanwhile: then there is more to look at first.
    again = read_end(connection, kept)
    if again != end or log.size > end.size:
        return log.size > end.size
    log.close(end)
    return True


def require(connection: Connection, log: StoredLog, note: str, kept: LogTables = RECEIPTS) -> None:
    """Let `log`, looked at to its end, be judged by a checkpoint that is kept outside of the store."""
    log.require(note, _Stored(connection, kept))


def read_end(connection: Connection, kept: LogTables = RECEIPTS) -> End:
    """What is stored about the log's end; a damaged state's size is that of the newest checkpoint."""
    columns = _Columns(connection)
    note = _newest_note(connection, kept)
    last = connection.execute(select(func.max(kept.entries.c.index))).scalar()
    row = connection.execute(select(columns.raw(kept.state.c.origin), columns.raw(kept.state.c.frontier))).one_or_none()
    frontier = None
    if row is None and note is None and last is None:
        frontier = chain.Frontier()
    elif row is not None:
        with suppress(ValueError):
            frontier = chain.Frontier.from_bytes(_as_bytes(row[1]))
    newest, newest_origin = (note.size, note.origin) if note is not None else (0, "")
    return End(
        size=frontier.size if frontier is not None else newest,
        origin=_as_text(row[0]) if row is not None else newest_origin,
        frontier=frontier,
        newest=newest,
        newest_origin=newest_origin,
        last=-1 if last is None else last,
    )


def mark_names(_mark: AuditMark) -> Iterable[Name]:
    """What holding the audit touches."""
    yield ("counter", _UNTIL)


def mark(batch: Batch, marks: Sequence[AuditMark]) -> list[AuditMark | None]:
    """Hold the audit for one node; None for those that another one keeps away.

    Each is one conditional update, so that no lock but the row's is needed.
    """
    connection = batch.connection
    insert_rows(connection, tables.counters, [(_PLACE, 0), (_UNTIL, 0)], "ignore")
    answers: list[AuditMark | None] = []
    for one in marks:
        free = or_(_counters.value == one.held, _counters.value < one.now)
        held = connection.execute(
            update(tables.counters).where(_counters.name == _UNTIL, free).values(value=one.until)
        ).rowcount
        if not held:
            answers.append(None)
            continue
        if one.place >= 0:
            connection.execute(update(tables.counters).where(_counters.name == _PLACE).values(value=one.place))
        place = connection.execute(select(_counters.value).where(_counters.name == _PLACE)).scalar_one()
        answers.append(AuditMark(one.now, one.until, one.until, place))
    return answers


def _page(connection: Connection, kept: LogTables, first: int, end: int) -> Page:
    """What is stored about the entries `first` to `end` - 1."""
    columns, entry, nodes_, notes_ = _Columns(connection), kept.entries.c, kept.nodes.c, kept.checkpoints.c
    told = (entry.index, entry[kept.kind], entry[kept.subject], entry.body)
    receipts = connection.execute(
        select(*map(columns.raw, told)).where(entry.index >= first, entry.index < end).order_by(entry.index)
    )
    notes = connection.execute(
        select(*map(columns.raw, (notes_.size, notes_.origin, notes_.note)))
        .where(notes_.size > first, notes_.size <= end)
        .order_by(notes_.size)
    )
    # Node (level, index) is complete with entry (index + 1) << level, the last of those it covers.
    levels = [(level, first >> level, end >> level) for level in range(end.bit_length())]
    # A select for each level, each a range of the key: asked for all at once, PostgreSQL would walk the table.
    completed = [
        select(nodes_.level, nodes_.index, columns.raw(nodes_.hash)).where(
            nodes_.level == level, nodes_.index >= low, nodes_.index < high
        )
        for level, low, high in levels
        if low < high
    ]
    nodes = connection.execute(union_all(*completed))
    return Page(
        first,
        end,
        [
            Row(index, _as_text(stage), _as_text(about), unpack_leaf(_as_bytes(body)))
            for index, stage, about, body in receipts
        ],
        {(level, index): _as_bytes(value) for level, index, value in nodes},
        [Note(size, _as_text(origin), _as_text(note)) for size, origin, note in notes],
    )


def _newest_note(connection: Connection, kept: LogTables, upto: int | None = None) -> Note | None:
    """The newest checkpoint, of all or of those over `upto` entries at most."""
    columns, notes_ = _Columns(connection), kept.checkpoints.c
    query = select(*map(columns.raw, (notes_.size, notes_.origin, notes_.note)))
    if upto is not None:
        query = query.where(notes_.size <= upto)
    row = connection.execute(query.order_by(notes_.size.desc()).limit(1)).one_or_none()
    return None if row is None else Note(row[0], _as_text(row[1]), _as_text(row[2]))


class _Columns:
    """Columns as they are stored. SQLite keeps what is of another type, or no text, and its driver would refuse it."""

    def __init__(self, connection: Connection) -> None:
        self._loose = connection.dialect.name == "sqlite"

    def raw(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column of text or bytes, to be read by `_as_text` or `_as_bytes`."""
        if isinstance(column.type, Leaf):
            return cast(column, LargeBinary) if self._loose else type_coerce(column, LargeBinary)
        return column if isinstance(column.type, Integer) or not self._loose else cast(column, LargeBinary)


def _as_bytes(value: Any) -> bytes:
    """What stands in a column of bytes; nothing where that is null."""
    return b"" if value is None else bytes(value)


def _as_text(value: Any) -> str:
    """What stands in a column of text."""
    return value if isinstance(value, str) else _as_bytes(value).decode("utf-8", "replace")


class _Stored:
    """Stored nodes, each asked for by itself: only where an audit begins, or something is wrong."""

    def __init__(self, connection: Connection, kept: LogTables) -> None:
        self._connection = connection
        self._nodes = kept.nodes.c
        self._known: dict[Node, Any] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """The hash of a node; KeyError where it is not stored."""
        if (level, index) not in self._known:
            query = select(_Columns(self._connection).raw(self._nodes.hash)).where(
                self._nodes.level == level, self._nodes.index == index
            )
            self._known[level, index] = self._connection.execute(query).scalar()
        value = self._known[level, index]
        if value is None:
            raise KeyError((level, index))
        return _as_bytes(value)
