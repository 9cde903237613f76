"""Rows of tables as parts of a file: gzipped lines of JSON, each row a list, the same from both engines.

What a column holds is one of a few kinds, which the manifest says beside the column's name; so rows of one engine can be
put into the other, and rows of an earlier version into tables of that version.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    LargeBinary,
    Select,
    Table,
    Text,
    column,
    insert,
    select,
    table,
    text,
)
from sqlalchemy.types import TypeEngine

from gateway.errors import BackupInvalid
from gateway.store.leaves import Leaf
from gateway.store.parts import PartsWriter

FOLDER: Final = "tables"
ROOM: Final = 4 << 20
"""Bytes of lines that one part has, packed to a fifth of that or so: a part is in memory whole."""
LARGEST: Final = 1 << 30
"""Bytes of lines of one part that are read: a document may be as long as a payload, and bytes are a third longer here."""
ROWS_AT_ONCE: Final = 500
"""Rows read, or inserted, at once."""

_KINDS: Final[dict[str, type[TypeEngine[Any]]]] = {
    "leaf": Leaf,
    "bytes": LargeBinary,
    "boolean": Boolean,
    "integer": BigInteger,
    "text": Text,
}
"""The kinds of columns; a leaf is bytes too, which each engine packs as it writes them."""
_BINARY: Final = frozenset({"leaf", "bytes"})

Row = Sequence[Any]


def kind_of(one: Column[Any]) -> str:
    """The kind of a column."""
    if isinstance(one.type, Leaf):
        return "leaf"
    if isinstance(one.type, LargeBinary):
        return "bytes"
    if isinstance(one.type, Boolean):
        return "boolean"
    return "text" if isinstance(one.type, Text) else "integer"


@dataclass(frozen=True, slots=True)
class Shape:
    """A table's name and columns, as a manifest says them."""

    name: str
    columns: tuple[tuple[str, str], ...]
    """Each with its kind."""

    @classmethod
    def of(cls, one: Table) -> Shape:
        """The shape of a table of this version."""
        return cls(one.name, tuple((col.name, kind_of(col)) for col in one.columns))

    @classmethod
    def read(cls, name: str, said: Any) -> Shape:
        """The shape that a manifest says. BackupInvalid where it is none."""
        try:
            columns = tuple((str(col), str(kind)) for col, kind in said["columns"])
        except (KeyError, TypeError, ValueError) as error:
            raise BackupInvalid(f"the manifest does not say the columns of {name}") from error
        if not all(kind in _KINDS for _, kind in columns):
            raise BackupInvalid(f"the manifest says columns of {name} of a kind that this gateway does not know")
        return cls(name, columns)

    def place(self, name: str) -> int:
        """Where in a row a column stands."""
        return [col for col, _ in self.columns].index(name)


@dataclass(slots=True)
class RowsWriter:
    """Writes rows of one table as parts; `end` writes what is left."""

    parts: PartsWriter
    shape: Shape
    count: int = 0
    _lines: io.BytesIO = field(default_factory=io.BytesIO)
    _number: int = 0

    def add(self, row: Row) -> None:
        """Write a row."""
        self._lines.write(_line(self.shape, row))
        self.count += 1
        if self._lines.tell() >= ROOM:
            self.end()

    def end(self) -> None:
        """Write what is not written yet."""
        if self._lines.tell():
            self._number += 1
            packed = gzip.compress(self._lines.getvalue(), compresslevel=5, mtime=0)
            self.parts.add(part_name(self.shape.name, self._number), packed)
            self._lines = io.BytesIO()

    def said(self) -> dict[str, Any]:
        """What the manifest says of the table."""
        return {"columns": [list(pair) for pair in self.shape.columns], "rows": self.count}


def part_name(table_name: str, number: int) -> str:
    """The name of a part of a table."""
    return f"{FOLDER}/{table_name}/{number:06d}.jsonl.gz"


def table_of(name: str) -> str:
    """The table whose rows a part of that name holds; empty where it is none of those."""
    folder, _, rest = name.partition("/")
    return rest.partition("/")[0] if folder == FOLDER else ""


def _line(shape: Shape, row: Row) -> bytes:
    values = [
        base64.b64encode(value).decode() if kind in _BINARY and value is not None else value
        for value, (_, kind) in zip(row, shape.columns, strict=True)
    ]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


def read_rows(shape: Shape, packed: bytes) -> Iterator[list[Any]]:
    """The rows of a part. BackupInvalid where it holds something else."""
    inflater = zlib.decompressobj(31)  # one gzip member (RFC 1952)
    try:
        lines = inflater.decompress(packed, LARGEST)
        if not inflater.eof or inflater.unused_data:
            raise BackupInvalid(f"a part of {shape.name} is longer or shorter than it may be")
        for line in lines.splitlines():
            yield _row(shape, json.loads(line.decode("utf-8", "surrogatepass")))
    except (zlib.error, ValueError, TypeError, RecursionError) as error:
        raise BackupInvalid(f"a part of {shape.name} holds no rows") from error


_TYPES: Final[dict[str, type]] = {"leaf": str, "bytes": str, "boolean": bool, "integer": int, "text": str}


def _row(shape: Shape, values: Any) -> list[Any]:
    row = list(values)
    if len(row) != len(shape.columns):
        raise ValueError("a row has another number of columns")
    for place, (_, kind) in enumerate(shape.columns):
        value = row[place]
        if value is None:
            continue
        if type(value) is not _TYPES[kind]:
            raise ValueError("a value is of another kind than its column")
        if kind in _BINARY:
            row[place] = base64.b64decode(str(value), validate=True)
    return row


def rows_of(connection: Connection, query: Select[Any]) -> Iterator[Row]:
    """What a query gives, a few rows at a time."""
    yield from connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE))


def dump_table(connection: Connection, one: Table, parts: PartsWriter) -> RowsWriter:
    """Write all rows of a table, in the order of its key, which every engine has an index for."""
    writer = RowsWriter(parts, Shape.of(one))
    for row in rows_of(connection, select(one).order_by(*one.primary_key.columns)):
        writer.add(row)
    writer.end()
    return writer


def insert_all(connection: Connection, shape: Shape, rows: Iterable[Row]) -> int:
    """Insert rows into a table that has these columns among its own; how many."""
    target = table(shape.name, *(column(name, _KINDS[kind]()) for name, kind in shape.columns))
    names = [name for name, _ in shape.columns]
    statement, count, page = insert(target), 0, list[dict[str, Any]]()
    for row in rows:
        page.append(dict(zip(names, row, strict=True)))
        if len(page) >= ROWS_AT_ONCE:
            connection.execute(statement, page)
            count, page = count + len(page), []
    if page:
        connection.execute(statement, page)
    return count + len(page)


def go_on_counting(connection: Connection, one: Table) -> None:
    """Let the numbers that PostgreSQL gives rows of a table by itself go on after those that are there."""
    counted = [col.name for col in one.primary_key.columns if col.autoincrement is True]
    if connection.dialect.name != "postgresql" or not counted:
        return
    (name,) = counted
    connection.execute(
        text(
            f"SELECT setval(pg_get_serial_sequence('{one.name}', '{name}'), "  # noqa: S608 - names are ours
            f'greatest((SELECT max("{name}") FROM "{one.name}"), 1))'
        )
    )
