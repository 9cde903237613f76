"""What an XSD says of lengths and occurrences, read here with lxml alone, holds in outlines and in what is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lxml import etree

from gateway.catalogue_folders import shipped
from gateway.documents import ClearanceNotice
from gateway.model import Place
from gateway.translate import table
from gateway.translate.context import Context
from gateway.translate.xml_outline import Outline, outline
from gateway.translate.xml_wire import XmlWire

FORMAT = "xml:ClearanceNotice:1"
XS = "{http://www.w3.org/2001/XMLSchema}"
SCHEMA = etree.fromstring(shipped().read("schemas/xml/ClearanceNotice.xsd"))


def declared() -> Iterator[tuple[str, int, int | None, int | None]]:
    """(path, least, most, longest) of every element below the root, by the XSD's text."""
    (root,) = SCHEMA.findall(f"{XS}element")
    yield from _below(root[0], "")


def _below(type_: Any, path: str) -> Iterator[tuple[str, int, int | None, int | None]]:
    for one in type_.findall(f"{XS}sequence/{XS}element"):
        most = one.get("maxOccurs", "1")
        here = f"{path}{one.get('name')}"
        named = [of for of in SCHEMA if of.get("name") == one.get("type") and of.tag != f"{XS}element"]
        longest = next((facet.get("value") for of in named for facet in of.iter(f"{XS}maxLength", f"{XS}length")), None)
        inner = [of for of in named if of.tag == f"{XS}complexType" and of.find(f"{XS}sequence") is not None]
        yield (
            here,
            int(one.get("minOccurs", "1")),
            None if most == "unbounded" else int(most),
            None if inner or longest is None else int(longest),
        )
        for of in inner:
            yield from _below(of, f"{here}/")


def outlined(at: Outline, path: str = "") -> Iterator[tuple[str, int, int | None, int | None]]:
    for name, child in at.children.items():
        assert child.name == name
        yield f"{path}{name}", child.minimum, child.maximum, child.max_length
        yield from outlined(child, f"{path}{name}/")


def test_an_outline_says_what_the_xsd_says() -> None:
    """Every element, in order, with how often it may stand and how long its text may be."""
    expected = list(declared())
    assert len(expected) > 50
    assert list(outlined(outline(shipped(), FORMAT))) == expected


LONGEST = {path: longest for path, _, _, longest in declared() if longest is not None}
FIELDS = [
    (row.field, row.place, LONGEST[row.place])
    for row in table.load(shipped(), "clearance", FORMAT).rows
    if row.converter == "text" and row.place in LONGEST and "[]" not in row.field
]


@pytest.mark.parametrize("marked", ["", "&"], ids=["plain", "escaped"])
@pytest.mark.parametrize(("field", "place", "longest"), FIELDS, ids=[field for field, _, _ in FIELDS])
def test_a_text_may_be_as_long_as_the_xsd_says_and_no_longer(field: str, place: str, longest: int, marked: str) -> None:
    """One character fewer and the longest are written, one more is left out and told; markup counts as one character."""
    mapping = table.load(shipped(), "clearance", FORMAT)
    document = ClearanceNotice.model_construct()
    for length in (longest - 1, longest, longest + 1):
        text = marked + "x" * (length - len(marked))
        values: Any = text
        for name in reversed(field.split(".")):
            values = {name: values}
        body, found = mapping.wire.write(document, values, Context())
        told = [(f.code, f.place.path, f.value, f.args) for f in found if f.code != "translate.required"]
        written = body.findtext("/".join(f"{{*}}{step}" for step in place.split("/")))
        if length <= longest:
            assert (written, told) == (text, [])
        else:
            assert written is None
            assert [(code, path) for code, path, _, _ in told] == [("translate.too_long", field)]
            assert told[0][3] == {"length": str(length), "max": str(longest)}


def test_a_place_is_named_by_its_row_below_whatever_envelope() -> None:
    """A path begins at the root that was sent, and an item's number in it says nothing of the field."""
    wire = table.load(shipped(), "clearance", FORMAT).wire
    assert isinstance(wire, XmlWire)
    find = wire.field_finder(None)
    assert find(Place(path="/ClearanceNotice/Goods[2]/HSCode")) == "goods[].hs_code"
    assert find(Place(path="/Envelope/Body/ClearanceNotice/Consignor/Name")) == "consignor.name"
    assert find(Place(path="/ClearanceNotice/Remarks")) == "remarks"
    assert find(Place(path="/Remarks")) == ""
    assert find(Place(path="/ClearanceNotice/Nothing")) == ""
    assert find(Place(path="")) == ""
