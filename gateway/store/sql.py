"""Small tools for queries: many rows in few statements, lists as one parameter, times and JSON as they are kept.

A statement's text stays the same however many values it is given, so that both engines keep it prepared.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain
from typing import Any, Literal

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    Table,
    TableValuedAlias,
    Text,
    TypeDecorator,
    bindparam,
    func,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import TypeEngine

OnConflict = Literal["", "ignore", "replace"]
Row = tuple[Any, ...]

_LARGEST_INSERT = 128
"""Rows in one INSERT on SQLite at most. The driver lets go of the interpreter lock several times a statement;
under load getting it back costs far more than the row, so that one row per statement would starve the writer."""
_INSERT_STEP = 8
"""Rows by which INSERTs differ: a few sizes stay prepared, and any number of rows is two statements or three."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row], on_conflict: OnConflict = "") -> None:
    """Insert `rows`, each with a value for every column that is not generated, in the table's order.

    A row whose primary key exists is an error, is ignored, or replaces the old one.
    """
    if connection.dialect.name != "sqlite":
        if rows:
            connection.exec_driver_sql(_insert(table, on_conflict, 1, numbered=True), list(rows))
        return
    done = 0
    while done < len(rows):
        left = min(len(rows) - done, _LARGEST_INSERT)
        size = left - left % _INSERT_STEP or left
        values = tuple(chain.from_iterable(rows[done : done + size]))
        connection.exec_driver_sql(_insert(table, on_conflict, size, numbered=False), values)
        done += size


@cache
def _insert(table: Table, on_conflict: OnConflict, rows: int, *, numbered: bool) -> str:
    columns = [column.name for column in table.columns if column.autoincrement is not True]
    names = ", ".join(f'"{name}"' for name in columns)
    one = ", ".join(f"${n}" for n in range(1, len(columns) + 1)) if numbered else ", ".join("?" * len(columns))
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ' + ", ".join([f"({one})"] * rows)  # noqa: S608 - names are ours
    if not on_conflict:
        return statement
    key = [column.name for column in table.primary_key.columns]
    changed = [f'"{name}" = excluded."{name}"' for name in columns if name not in key]
    if on_conflict == "ignore" or not changed:
        return f"{statement} ON CONFLICT DO NOTHING"
    target = ", ".join(f'"{name}"' for name in key)
    return f"{statement} ON CONFLICT ({target}) DO UPDATE SET {', '.join(changed)}"


class _Listed(TypeDecorator[Sequence[Any]]):
    """A list as one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[Text | BigInteger]) -> None:
        super().__init__()
        self.kind = kind

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """What the driver is given."""
        return ARRAY(self.kind) if dialect.name == "postgresql" else dialect.type_descriptor(Text())

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> Any:
        """The value the driver is given."""
        return value if dialect.name == "postgresql" else json.dumps(value)


_TEXTS, _NUMBERS = _Listed(Text), _Listed(BigInteger)


class among(ColumnElement[bool]):  # noqa: N801 - it reads as a function in queries
    """Whether a column is one of some values, which travel as one parameter.

    A construct of its own because most queries are made anew for each execution: composed of general
    parts, it would cost fifteen times as much to make, and most of a query's time. Those of every batch are made once
    (`named`): to tell that two statements are the same takes SQLAlchemy as long as to execute one.
    """

    _traverse_internals = [  # noqa: RUF012 - the base class's way to say what makes two of them alike
        ("column", InternalTraversal.dp_clauseelement),
        ("values", InternalTraversal.dp_clauseelement),
    ]
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], values: Iterable[str | int]) -> None:
        kind = _NUMBERS if isinstance(column.type, Integer) else _TEXTS
        self.column = column
        self.values = bindparam(None, list(values), type_=kind, unique=True)

    @classmethod
    def named(cls, column: ColumnElement[Any], name: str) -> among:
        """The same of values that are given by `name` with each execution, for a statement that is made once."""
        made = cls(column, ())
        made.values = bindparam(name, type_=made.values.type)
        return made

    def self_group(self, against: object = None) -> among:  # noqa: ARG002 - the base class's signature
        """It is a comparison; SQLAlchemy would add `= 1` on SQLite otherwise, and no index would serve."""
        return self


@compiles(among, "sqlite")
def _among_json(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = compiler.process(element.column, **options), compiler.process(element.values, **options)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - both are compiled SQL


@compiles(among, "postgresql")
def _among_array(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = compiler.process(element.column, **options), compiler.process(element.values, **options)
    return f"{column} = ANY ({values})"


class listed_in(ColumnElement[int]):  # noqa: N801 - it reads as a function in queries
    """How many things a column of JSON text lists, which the engine counts without handing them on."""

    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - as above
    type = Integer()

    def __init__(self, column: ColumnElement[str]) -> None:
        self.column = column


@compiles(listed_in, "sqlite")
def _listed_in_json(element: listed_in, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array_length({compiler.process(element.column, **options)})"


@compiles(listed_in, "postgresql")
def _listed_in_text(element: listed_in, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array_length(CAST({compiler.process(element.column, **options)} AS JSON))"


class _Rows(TypeDecorator[Sequence[Any]]):
    """Rows as one parameter: JSON on both engines."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> str:  # noqa: ARG002 - the base class's signature
        """The value the driver is given."""
        return json.dumps(value)


_ROWS = _Rows()


class matching(ColumnElement[bool]):  # noqa: N801 - it reads as a function in queries
    """Whether several columns are together one of some rows, which travel as one parameter.

    Each row is one look into the index that begins with these columns, in this order. Asked column by column
    (`among` for each), an engine looks along the first column only, or at every combination.
    """

    _traverse_internals = [  # noqa: RUF012 - as above
        ("columns", InternalTraversal.dp_clauseelement_list),
        ("rows", InternalTraversal.dp_clauseelement),
    ]
    type = Boolean()

    def __init__(self, columns: Sequence[ColumnElement[Any]], rows: Iterable[Sequence[str | int]]) -> None:
        self.columns = list(columns)
        self.rows = bindparam(None, [list(row) for row in rows], type_=_ROWS, unique=True)

    def self_group(self, against: object = None) -> matching:  # noqa: ARG002 - the base class's signature
        """As `among`."""
        return self


@compiles(matching, "sqlite")
def _matching_json(element: matching, compiler: SQLCompiler, **options: Any) -> str:
    # The casts give the values the columns' own affinity; without it, SQLite would use some of the columns only.
    return _matching(element, compiler, "CAST(json_extract(value, '$[{}]') AS {})", "json_each({})", options)


@compiles(matching, "postgresql")
def _matching_rows(element: matching, compiler: SQLCompiler, **options: Any) -> str:
    return _matching(
        element, compiler, "CAST(value ->> {} AS {})", "json_array_elements(CAST({} AS JSON)) AS value", options
    )


def _matching(element: matching, compiler: SQLCompiler, value: str, rows: str, options: Mapping[str, Any]) -> str:
    columns = ", ".join(compiler.process(column, **options) for column in element.columns)
    types = (compiler.dialect.type_compiler_instance.process(column.type) for column in element.columns)
    values = ", ".join(value.format(place, type_) for place, type_ in enumerate(types))
    source = rows.format(compiler.process(element.rows, **options))
    return f"({columns}) IN (SELECT {values} FROM {source})"  # noqa: S608 - all of it is compiled SQL


def listed(dialect: str, name: str) -> TableValuedAlias:
    """Texts as a table of one column, `value`; they travel as one parameter of that name."""
    values = bindparam(name, type_=_TEXTS)
    if dialect == "sqlite":
        return func.json_each(values).table_valued("value")
    return func.unnest(values).table_valued("value").render_derived()


def to_time(value: datetime) -> int:
    """Whole microseconds since 1970."""
    return (value - _EPOCH) // _MICROSECOND


def from_time(value: int) -> datetime:
    """The aware time of so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=value)


def maybe_to_time(value: datetime | None) -> int | None:
    """As `to_time`, with None for None."""
    return None if value is None else to_time(value)


def maybe_from_time(value: int | None) -> datetime | None:
    """As `from_time`, with None for None."""
    return None if value is None else from_time(value)


_encode: Callable[[object], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_json(value: object) -> str:
    """JSON text of a JSON-ready value."""
    return _encode(dict(value) if isinstance(value, Mapping) else value)


def from_json(value: str | bytes) -> Any:
    """The value of JSON text."""
    return json.loads(value)


_SMALL = 200
"""Bytes up to which deflating saves less than a page has room for anyway."""


WINDOW_BITS, WINDOW_MEMORY = 12, 5
"""How small values are deflated (RFC 1950: a window of 4 KiB). Made for the largest values, as by default, a packer clears
a quarter of a megabyte first, which takes three times as long as the packing."""


def deflated(value: bytes) -> bytes:
    """`value` deflated, or as it is where that is no shorter."""
    if len(value) <= _SMALL:
        return value
    window, memory = (
        (WINDOW_BITS, WINDOW_MEMORY) if len(value) <= 2 << WINDOW_BITS else (zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL)
    )
    # Level 4 takes two thirds of the time of 6 for no more bytes; 1 is a quarter faster still, and a fifteenth longer.
    packer = zlib.compressobj(4, zlib.DEFLATED, window, memory)
    packed = packer.compress(value) + packer.flush()
    return packed if len(packed) < len(value) else value


def pack_json(value: object) -> bytes:
    """JSON as a document's column keeps it: deflated where that is shorter, which its first byte tells from JSON."""
    return deflated(to_json(value).encode())


def unpack_json(value: bytes) -> Any:
    """The value that `pack_json` was given; of JSON that was never packed as well."""
    return json.loads(zlib.decompress(value) if value[:1] in _DEFLATED else value)


_DEFLATED = frozenset({b"\x48", b"\x78"})
"""How RFC 1950 begins, with a small window and with a whole one; JSON never does."""
