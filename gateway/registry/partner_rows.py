"""What partner files hold, row by row, before anything is judged: TOML, JSON, JSON Lines and CSV.

JSON Lines, JSON and CSV are read piece by piece, so that a file of any length takes the memory of its longest partner.
A row that cannot be read is told as such, and the rows after it are read all the same.
"""

from __future__ import annotations

import codecs
import csv
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO

from gateway.errors import ConfigurationInvalid

LONGEST_PARTNER = 16 * 2**20
"""Characters of one partner: more than any list of certificates has."""
_PIECE = 2**18
_BLANKS = " \t\r\n"


class Form(StrEnum):
    """How a partner file is written."""

    TOML = "toml"
    JSON = "json"
    JSON_LINES = "jsonl"
    CSV = "csv"


_SUFFIXES = {
    ".toml": Form.TOML,
    ".json": Form.JSON,
    ".jsonl": Form.JSON_LINES,
    ".ndjson": Form.JSON_LINES,
    ".csv": Form.CSV,
}


def form_of(name: str) -> Form:
    """The form that a file's name says; TOML where it says none."""
    return next((form for suffix, form in _SUFFIXES.items() if name.lower().endswith(suffix)), Form.TOML)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a partner file. What the file says is not repeated: it may be a key."""

    place: str
    """The file, and the line or partner in it."""
    partner: str
    """The partner's id, where it is known."""
    field: str
    """What is wrong, by the names of the file, parted by dots; empty for the partner as a whole."""
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.field}: {self.text}" if self.field else f"{self.place}: {self.text}"


@dataclass(frozen=True, slots=True)
class Row:
    """One partner as a file has it."""

    place: str
    value: object
    """As JSON has it; None where the row cannot be read."""
    size: int = 0
    """Bytes read for it."""
    unreadable: str = ""
    """Why it cannot be read."""

    @property
    def partner(self) -> str:
        """The id that it gives, where it gives one."""
        id_ = self.value.get("id") if isinstance(self.value, dict) else None
        return id_ if isinstance(id_, str) else ""


def read_rows(source: BinaryIO, name: str, form: Form) -> Iterator[Row]:
    """The rows of a file called `name`. ConfigurationInvalid where it is not of its form at all."""
    return _READERS[form](source, name)


def _tables(source: BinaryIO, name: str) -> Iterator[Row]:
    content = source.read()
    try:
        values = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(f"{name}: {error}") from error
    partners = values.pop("partners", [])
    if not isinstance(partners, list) or values:
        raise ConfigurationInvalid(f"{name}: a partner file holds [[partners]] and nothing else")
    yield from (_placed(value, position, name) for position, value in enumerate(partners, 1))


def _placed(value: object, position: int, name: str, size: int = 0) -> Row:
    known = value.get("id", position) if isinstance(value, dict) else position
    return Row(f"{name}: partner {known}", value, size)


def _lines(source: BinaryIO, name: str) -> Iterator[Row]:
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        place = f"{name}: line {number}"
        try:
            yield Row(place, json.loads(line), len(line))
        except (ValueError, RecursionError) as error:
            yield Row(place, None, len(line), str(error))


class _Array:
    """An array in JSON whose items are decoded one by one, each once all of it is there."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._text = codecs.getincrementaldecoder("utf-8-sig")()
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._ended = False

    def take(self) -> str:
        """The next sign that is no blank, which is taken; empty at the end."""
        self._skip()
        sign, self._buffer = self._buffer[:1], self._buffer[1:]
        return sign

    def is_next(self, sign: str) -> bool:
        """Whether the next sign that is no blank is this one, which stays."""
        self._skip()
        return self._buffer.startswith(sign)

    def decode(self) -> tuple[object, int]:
        """The value that comes next, and how long it is. ValueError where it is none."""
        self._skip()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer)
            except ValueError:
                if self._ended or len(self._buffer) > LONGEST_PARTNER:
                    raise
            else:
                if end < len(self._buffer) or self._ended:  # else a number may go on in the next piece
                    self._buffer = self._buffer[end:]
                    return value, end
            self._read()

    def _skip(self) -> None:
        self._buffer = self._buffer.lstrip(_BLANKS)
        while not self._buffer and not self._ended:
            self._read()
            self._buffer = self._buffer.lstrip(_BLANKS)

    def _read(self) -> None:
        piece = self._source.read(max(_PIECE, len(self._buffer)))
        self._ended = not piece
        self._buffer += self._text.decode(piece, final=self._ended)


def _array(source: BinaryIO, name: str) -> Iterator[Row]:
    """The items of an array."""
    array, position = _Array(source), 0
    try:
        if array.take() != "[":
            raise ConfigurationInvalid(f"{name}: a JSON file of partners is an array of them")
        if array.is_next("]"):
            return
        while True:
            value, size = array.decode()
            position += 1
            yield _placed(value, position, name, size)
            sign = array.take()
            if sign == "]" and array.take() == "":
                return
            if sign != ",":
                raise ConfigurationInvalid(f"{name}: after partner {position}: neither a comma nor the end of the file")
    except (ValueError, RecursionError) as error:
        raise ConfigurationInvalid(f"{name}: after partner {position}: {error}") from error


def _table(source: BinaryIO, name: str) -> Iterator[Row]:
    """The lines of a table under headings; what is empty is not said."""
    csv.field_size_limit(LONGEST_PARTNER)
    size = 0

    def decoded() -> Iterator[str]:
        nonlocal size
        for line in source:
            size += len(line)
            yield line.decode("utf-8-sig" if size == len(line) else "utf-8")

    reader = csv.reader(decoded(), strict=True)
    try:
        columns = next(reader, None)
        if columns is None:
            return
        if len(set(columns)) < len(columns):
            raise ConfigurationInvalid(f"{name}: line 1: a column is there twice")
        for cells in reader:
            place, read, size = f"{name}: line {reader.line_num}", size, 0
            if not any(cells):
                continue
            if len(cells) != len(columns):
                yield Row(place, None, read, f"{len(cells)} cells, where there are {len(columns)} columns")
                continue
            try:
                yield Row(place, {c: _cell(c, cell) for c, cell in zip(columns, cells, strict=True) if cell}, read)
            except ValueError as error:
                yield Row(place, None, read, str(error))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(f"{name}: line {reader.line_num}: {error}") from error


_LISTS = ("roles", "acts_for", "regions")
_WHOLE = ("agreements", "keys", "credentials", "persons")


def _cell(column: str, cell: str) -> Any:
    """What a cell says: lists in a short form that a person types, or as JSON."""
    if column in _WHOLE or (column in (*_LISTS, "identifiers", "supervision_classes") and cell[:1] in ("[", "{")):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{column}: no JSON: {error}") from None
    if column in _LISTS:
        return cell.split()
    if column == "identifiers":
        pairs = [one.strip().partition(":") for one in cell.split(";") if one.strip()]
        return [{"scheme": scheme, "value": value} for scheme, _, value in pairs]
    if column == "supervision_classes":
        return dict(one.partition("=")[::2] for one in cell.split())
    return cell


def write_cell(column: str, value: Any) -> str:
    """A cell that is read as `value`: the short form where it can say it, else JSON."""
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    short = _shortened(column, value)
    if short and short[0] not in "[{" and _cell(column, short) == value:
        return short
    return json.dumps(value, ensure_ascii=False)


def _shortened(column: str, value: Any) -> str:
    if column in _LISTS:
        return " ".join(value)
    if column == "identifiers":
        return "; ".join(f"{one['scheme']}:{one['value']}" for one in value)
    if column == "supervision_classes":
        return " ".join(f"{group}={grade}" for group, grade in value.items())
    return ""


_READERS: Mapping[Form, Callable[[BinaryIO, str], Iterator[Row]]] = {
    Form.TOML: _tables,
    Form.JSON: _array,
    Form.JSON_LINES: _lines,
    Form.CSV: _table,
}
