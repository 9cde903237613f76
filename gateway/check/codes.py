"""Code lists: what each partner's tables call the same country, currency, unit, transport mode, package or container.

A list is a CSV in schemas/codes: one row per thing, one column per table that codes it. `un` is the
canonical column (ISO and UN/ECE codes), `ciq` the inspection service's, `customs` the customs'; a list
may have more. Lines before the header say where the facts come from and which columns are complete:

    # source: ISO 3166-1
    # version: 2024-02              (or `# unversioned: why there is none`)
    # complete: un alpha3
    un,alpha3,ciq,customs,en,zh
    CN,CHN,156|CHN,CHN|142,China,中国

Of several codes in a cell the first is written and all are read. Only in a complete column is a code that is not there
wrong; elsewhere it is merely unknown to us.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.catalogue import SCHEMAS, Catalogue, compiled
from gateway.errors import SchemaInvalid
from gateway.languages import choose_language
from gateway.spelling import nearest_code

CANONICAL = "un"
_FOLDER, _ENDING = f"{SCHEMAS}/codes", ".csv"
_WORDS = ("en", "zh")


@dataclass(frozen=True, slots=True)
class CodeList:
    """One code list. `columns` are the tables that it knows, the canonical one first."""

    name: str
    source: str
    columns: tuple[str, ...]
    complete: frozenset[str]
    rows: tuple[Mapping[str, str], ...]
    version: str
    """Of what its source says; empty where that has none."""
    unversioned: str
    """Why it has no version; empty where it has one, or does not say."""
    _to: Mapping[str, Mapping[str, str]]
    """Per column: its code -> the canonical one."""
    _from: Mapping[str, Mapping[str, str]]
    """Per column: the canonical code -> its code."""
    _meant: Mapping[str, str]
    """Codes of any column and names, in capitals -> the canonical code, where all mean one thing."""

    def to_canonical(self, code: str, column: str) -> str | None:
        """The canonical code for `code` of `column`; None where there is none.

        A table that this list does not know uses the canonical codes.
        """
        if column in self._to and column != CANONICAL:
            return self._to[column].get(code)
        return code if self._known(code) else None

    def from_canonical(self, code: str, column: str) -> str | None:
        """What `column` calls the canonical `code`; None where it has no word for it."""
        if column in self._from and column != CANONICAL:
            return self._from[column].get(code)
        return code if self._known(code) else None

    def may_keep(self, code: str, column: str) -> bool:
        """Whether a `code` that `column` does not hold may stand in a document: not where it would mean another thing."""
        return column == CANONICAL or code not in self._to[CANONICAL]

    def gates(self, column: str) -> bool:
        """Whether a code that `column` does not hold is wrong, and not merely unknown to us."""
        return (column if column in self._to else CANONICAL) in self.complete

    def suggest(self, value: str, column: str) -> tuple[str, bool]:
        """The code of `column` that `value` stands for, or is near to, and whether it does; empty where there is none.

        A value stands for a code where it is another column's code of the same thing, or its name.
        """
        plain = value.strip().upper()
        meant = self._meant.get(plain, "")
        code = self.from_canonical(meant, column) if meant else None
        if code:
            return code, True
        return nearest_code(value, self._to[column if column in self._to else CANONICAL].keys()), False

    def words(self, code: str, language: str = "en") -> str:
        """The name of a canonical code, or the code where no name is known."""
        key = choose_language(language)
        return next((row[key] for row in self.rows if row[CANONICAL] == code and row.get(key)), code)

    def codes_of(self, column: str) -> frozenset[str]:
        """All codes of a column; none of one that the list does not have."""
        return frozenset(self._to.get(column, ()))

    def _known(self, code: str) -> bool:
        return CANONICAL not in self.complete or code in self._to[CANONICAL]


def available(catalogue: Catalogue) -> tuple[str, ...]:
    """The names of all code lists."""
    return tuple(name.removeprefix(f"{_FOLDER}/").removesuffix(_ENDING) for name in catalogue.names(_FOLDER, _ENDING))


def find(catalogue: Catalogue, name: str) -> CodeList | None:
    """The code list `name`, or None; SchemaInvalid where its file is wrong."""
    return load(catalogue, name) if name in available(catalogue) else None


def file_of(name: str) -> str:
    """The file of the code list `name` in a catalogue."""
    return f"{_FOLDER}/{name}{_ENDING}"


@compiled
def load(catalogue: Catalogue, name: str) -> CodeList:
    """The code list `name`; SchemaInvalid where there is none, or its file is wrong."""
    return read(name, catalogue.text(file_of(name)))


def read(name: str, text: str) -> CodeList:
    """The code list `name` that `text` says; SchemaInvalid where it is wrong."""
    file = file_of(name)
    lines = text.splitlines()
    header = next((at for at, line in enumerate(lines) if line and not line.startswith("#")), len(lines))
    remarks = [line[1:].strip() for line in lines[:header] if line]
    said = dict(remark.split(": ", 1) for remark in remarks if ": " in remark)
    rows = list(csv.DictReader(lines[header:]))
    columns = tuple(column for column in (rows[0] if rows else {}) if column not in _WORDS)
    complete = frozenset(said.get("complete", "").split())
    if not columns or columns[0] != CANONICAL or not complete <= set(columns) or "source" not in said:
        raise SchemaInvalid(f"{file}: needs a source, a first column {CANONICAL!r} and complete columns that it has")
    to_canonical: dict[str, dict[str, str]] = {column: {} for column in columns}
    from_canonical: dict[str, dict[str, str]] = {column: {} for column in columns}
    for row in rows:
        if None in row or None in row.values():
            raise SchemaInvalid(f"{file}: row {row} has not as many fields as the header")
        for column in columns:
            # Several codes may stand for one thing, and one for several: the first decides.
            for code in row[column].split("|"):
                if code:
                    to_canonical[column].setdefault(code, row[CANONICAL])
                    from_canonical[column].setdefault(row[CANONICAL], code)
    version = said.get("version", "")
    return CodeList(
        name,
        said["source"],
        columns,
        complete,
        tuple(rows),
        version,
        said.get("unversioned", ""),
        to_canonical,
        from_canonical,
        _meanings(rows, columns),
    )


def write(
    source: str, version: str, complete: Iterable[str], columns: Sequence[str], rows: Iterable[Mapping[str, str]]
) -> str:
    """The text of a code list, as `read` reads it; `columns` are those beside the canonical one and the words."""
    written = io.StringIO()
    for name, value in (("source", source), ("version", version), ("complete", " ".join(complete))):
        written.write(f"# {name}: {value}\n")
    table = csv.DictWriter(written, (CANONICAL, *columns, *_WORDS), restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return written.getvalue()


def _meanings(rows: Iterable[Mapping[str, str]], columns: Iterable[str]) -> dict[str, str]:
    """What codes and names stand for, where they stand for one thing only."""
    found: dict[str, set[str]] = {}
    for row in rows:
        cells = [
            *(code for column in columns for code in row[column].split("|")),
            *(row.get(key, "") for key in _WORDS),
        ]
        for cell in cells:
            if cell:
                found.setdefault(cell.upper(), set()).add(row[CANONICAL])
    return {cell: next(iter(things)) for cell, things in found.items() if len(things) == 1}
