from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from gateway.catalogue_folders import shipped
from gateway.check import xsd
from gateway.documents import ClearanceNotice
from gateway.translate import table
from gateway.translate.context import Context
from gateway.translate.outcome import Read

FORMAT = "xml:ClearanceNotice:1"
NAMESPACE = "urn:edi-gateway:clearance"
FIXED = (
    "<Number>370200126000077000</Number><Function>9</Function><Direction>inbound</Direction>"
    "<DeclarationNumber>370200126000077</DeclarationNumber><Status>issued</Status>"
)


def read(inside: str) -> Read:
    root = etree.fromstring(f'<ClearanceNotice xmlns="{NAMESPACE}">\n{inside}</ClearanceNotice>')
    return table.load(shipped(), "clearance", FORMAT).read(root)


def notice(**values: Any) -> ClearanceNotice:
    fixed = {"number": "370200126000077000", "function": "9", "direction": "inbound", "status": "issued"}
    return ClearanceNotice.model_validate({**fixed, "declaration_number": "370200126000077", **values})


def write(document: ClearanceNotice) -> tuple[etree._Element, list[tuple[str, str]]]:
    written = table.load(shipped(), "clearance", FORMAT).write(document, Context("Asia/Shanghai"))
    return written.body, [(f.code, f.place.path) for f in written.findings]


def test_blanks_comments_and_empty_elements_are_no_values() -> None:
    """Indentation, comments and empty elements say nothing."""
    outcome = read(f"{FIXED}<!-- a note --><Remarks>\n  A  B\n</Remarks><Marks/>")
    assert outcome.findings == []
    assert outcome.values["remarks"] == "A  B"
    assert "marks" not in outcome.values


def test_what_no_row_mentions_is_reported_where_it_stands() -> None:
    """An element the table does not know is told with line and path, one with others in it as a whole."""
    found = read(f"{FIXED}<Extra><Inner>7</Inner></Extra><More>8</More>").findings
    assert [(one.code, one.value, one.place.path, one.place.line) for one in found] == [
        ("translate.unread.part", "Extra", "/ClearanceNotice/Extra", 2),
        ("translate.unread", "8", "/ClearanceNotice/More", 2),
    ]


def test_attributes_and_text_of_one_element_are_two_values() -> None:
    """A quantity's unit is an attribute of its number."""
    outcome = read(f'{FIXED}<Goods><Quantity unit="KGM">2.50</Quantity></Goods>')
    assert isinstance(outcome.document, ClearanceNotice)
    assert outcome.document.goods[0].quantity is not None
    assert outcome.document.goods[0].quantity.unit == "KGM"
    assert str(outcome.origins["goods[0].quantity.unit"]) == "/ClearanceNotice/Goods/Quantity (line 2)"
    assert etree.tostring(write(outcome.document)[0][-1][-1]).endswith(b'unit="KGM">2.5</Quantity>')


def test_a_value_that_contradicts_itself_is_told() -> None:
    """Where an element stands twice with another value, the first counts and the second is told."""
    outcome = read(f"{FIXED}<Remarks>A</Remarks><Remarks>B</Remarks>")
    assert outcome.values["remarks"] == "A"
    assert [(f.code, f.value) for f in outcome.findings] == [("translate.conflict", "B")]


def test_faults_have_their_line_and_path() -> None:
    """What the document refuses is told at the element it came from."""
    outcome = read(FIXED.replace("issued", "lost") + "\n<ValidUntil>soon</ValidUntil>")
    assert outcome.document is None
    assert {(f.code, f.place.path, f.place.line) for f in outcome.findings} == {
        ("translate.datetime", "/ClearanceNotice/ValidUntil", 3),
        ("document.choice", "/ClearanceNotice/Status", 2),
    }


@pytest.mark.parametrize("words", ["<&>", "]]>", "a\rb", '"quoted"', "例\U00020bb7", "tab\tand\nline"])
def test_any_text_is_written_so_that_it_is_read_again(words: str) -> None:
    """Markup, carriage returns and characters beyond the basic plane survive, in elements and attributes."""
    body, found = write(notice().model_copy(update={"remarks": words}))
    assert found == []
    again = etree.fromstring(etree.tostring(body))
    assert again.findtext(f"{{{NAMESPACE}}}Remarks") == words


def test_characters_that_xml_does_not_know_are_told() -> None:
    """A control character cannot be carried; a question mark stands in its place."""
    body, found = write(notice().model_copy(update={"remarks": "A\x07B"}))
    assert body.findtext(f"{{{NAMESPACE}}}Remarks") == "A?B"
    assert found == [("translate.not_encodable", "remarks")]


def test_order_comes_from_the_schema() -> None:
    """What is written passes the schema, whose order is fixed, whatever the order of the rows."""
    source = shipped().text(table.file_of(shipped(), "clearance", FORMAT))
    head, rows = source.split("rows = [\n")
    lines = sorted(line for line in rows.split("\n") if line.strip().startswith(("[", "{")))
    mapping = table.parse(shipped(), (head + "rows = [\n" + "\n".join(reversed(lines)) + "\n]\n").encode(), "test.toml")
    document = notice(remarks="A", trade_country="CL", containers=["CSQU3054383"], goods=[{"hs_code": "2204210000"}])
    assert xsd.check(shipped(), mapping.write(document).body, FORMAT) == []


def test_an_empty_group_is_not_written() -> None:
    """A party without any value leaves no element behind."""
    body, _ = write(notice(consignor={}))
    assert body.find(f"{{{NAMESPACE}}}Consignor") is None
