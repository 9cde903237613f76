"""docs/mappings.md is the whole language of mapping tables, and every example in it holds."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import codes, tables
from gateway.documents import MODELS
from gateway.errors import MappingInvalid
from gateway.translate import convert, fields, rows, table
from gateway.translate.context import Context
from gateway.translate.edi_wire import EdiWire
from gateway.translate.rows import Row
from tests.adding import ROOT

PAGE = (ROOT / "docs/mappings.md").read_text("utf-8")
LISTS = partial(codes.find, shipped())


def cells(heading: str) -> list[list[str]]:
    """The rows of the table below a line that begins with `heading`, its cells as they stand."""
    lines = PAGE[PAGE.index(f"\n| {heading}") + 1 :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def code(cell: str) -> str:
    """What stands between the first backticks of a cell."""
    return str(re.findall(r"`([^`]*)`", cell)[0])


def faults(document: str, format_: str, *given: Row) -> list[str]:
    """What is wrong with these rows, and not with what they leave out."""
    wire = tables.find(shipped(), table.message_type(format_))
    assert wire is not None
    compiled = EdiWire(wire, fields.shape(MODELS[document]), given, LISTS)
    return [fault for fault in compiled.faults if "must hold" not in fault]


@pytest.mark.parametrize("example", cells("place |"), ids=lambda example: example[0])
def test_each_place_is_one(example: list[str]):
    """Each place that the page shows is a place of the format beside it."""
    assert faults("declaration", code(example[1]), Row("", code(example[0]), "position")) == []


def plain(value: Any) -> str:
    """A value as the page writes it."""
    match value:
        case bool() | list():
            return json.dumps(value)
        case Decimal():
            return f"{value:f}"
        case datetime() | date():
            return value.isoformat()
    return str(value)


@pytest.mark.parametrize("example", cells("converter |"), ids=lambda example: example[0])
def test_each_converter_reads_and_writes_its_example(example: list[str]):
    """What stands on the wire is read as the document's value, and that is written as it stood."""
    made = convert.make(code(example[0]), LISTS)
    wire = re.findall(r"`([^`]*)`", example[1])
    if isinstance(made, convert.ManyConverter):
        value = made.read(wire, [10] * len(wire), Context())
        assert made.write(value, [10] * len(wire), Context()) == wire
    else:
        value = made.read(wire[0], Context())
        assert made.write(value, Context()) == wire[0]
    assert plain(value) == code(example[2])


def test_no_converter_is_left_out():
    """The page shows every converter there is."""
    shown = {code(example[0]).partition(":")[0] for example in cells("converter |")}
    assert shown == {*convert.FACTORIES, *convert.CODED}
    kinds = {row.kind for row in shown_rows()}
    assert kinds == {*convert.CONSTANTS, *convert.CONTROLS, *convert.SCOPES, "default"}


def shown_rows() -> list[Row]:
    """The rows that are no pairs of a field and a value."""
    return [rows.parse(tomllib.loads(f"row = {code(example[0])}")["row"]) for example in cells("row |")]


WHERE = [
    ("declaration", "edifact:CUSDEC:D:96B:UN"),
    ("response", "edifact:CUSRES:D:96B:UN"),
    ("clearance", "edifact:CUSRES:D:96B:UN"),
]


@pytest.mark.parametrize("row", shown_rows(), ids=lambda row: f"{row.place} {row.converter}")
def test_each_row_is_one(row: Row):
    """Each row that the page shows can stand in a table of ours."""
    if row.kind == "default":
        assert fields.resolve(fields.shape(MODELS["clearance"]), row.field)
        return
    assert any(faults(document, format_, row) == [] for document, format_ in WHERE)


def test_whole_tables_on_the_page_are_tables():
    """A table that the page shows holds by its schema: what it leaves out is all that is wrong with it."""
    shown = list(re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    tables_shown = [text for text in shown if re.search(r"^document", text, re.MULTILINE)]
    assert len(tables_shown) == 2
    for text in tables_shown:
        try:
            table.parse(shipped(), text.encode(), "page")
        except MappingInvalid as error:
            faults = error.details["faults"]
            assert isinstance(faults, tuple)
            assert [one for one in faults if "is required" not in one and "must hold" not in one] == []


def test_the_variation_on_the_page_is_one():
    """The partner's variation that the page shows loads as it stands."""
    (text,) = (text for text in re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) if "extends" in text)
    varied = table.parse(shipped(), text.encode(), "clearance/acme")
    assert [row.converter for row in varied.rows if row.field == "number"] == ["digits:18"]
    assert not any(row.field == "bill_of_lading" for row in varied.rows)
