"""What a table is refused for at load, one fault at a time, in whole words; and what each fault knows of itself."""

from __future__ import annotations

import pytest

from gateway.catalogue_folders import shipped
from gateway.check.nodes import ElementUse
from gateway.documents import MODELS, ClearanceNotice
from gateway.errors import MappingInvalid
from gateway.translate import fields, table
from gateway.translate.edi import Cell, GroupUse, SegmentUse, Slot, SlotTest
from gateway.translate.edi_fields import Fields
from gateway.translate.fault import Fault, Missing, find_missing

EDI = 'document = "clearance"\nformat = "edifact:CUSRES:D:96B:UN"\n'
XML = 'document = "clearance"\nformat = "xml:ClearanceNotice:1"\n'


def faults(head: str, *rows: str) -> list[Fault]:
    with pytest.raises(MappingInvalid) as caught:
        table.parse(shipped(), f"{head}rows = [{', '.join(rows)}]".encode(), "test.toml")
    listed = caught.value.details["faults"]
    assert isinstance(listed, tuple)
    return list(listed)


GOODS = '["goods[]", "SG6.SG10", "each"]'

EDI_ROWS = [
    (
        ('["goods[]", "SG6.SG10.CST/1496", "each"]',),
        "place 'SG6.SG10.CST/1496': each names a group or a segment, no element",
    ),
    (('["", "SG6.SG10", "each"]',), "row 'SG6.SG10': each needs a list field"),
    (('["consignor", "SG6.SG10", "each"]',), "row 'SG6.SG10': each needs a list field"),
    ((GOODS, '["goods[]", "SG6.SG10", "each"]'), "place 'SG6.SG10': is each of two lists"),
    (
        ('["containers[]", "EQD", "each"]',),
        "row 'containers[]': a list of plain values needs a range in its place, not each",
    ),
    (('["goods[]", "FTX", "each:starts=1"]',), "row 'goods[]': each of a segment takes no argument"),
    (
        ('["goods[]", "SG6.SG10", "each:sometimes=1"]',),
        "row 'goods[]': each takes starts=ELEMENT or link=INNER/OUTER, not 'sometimes=1'",
    ),
    (('["", "BGM/C106.1004", "text"]',), "row 'BGM/C106.1004': converter text needs a field"),
    (('["number", "BGM", "text"]',), "place 'BGM': names no element"),
    (
        ('["number", "SG1.NAD/C080.3036[1..5]", "text"]',),
        "place 'SG1.NAD/C080.3036[1..5]': names several slots, converter text takes one",
    ),
    (
        ('["number", "CNT[6069=5]/C270.6066", "count"]',),
        "row 'number': converter count needs a list or a field within one",
    ),
    (
        ('["number", "SG99.RFF/C506.1154", "text"]',),
        "place 'SG99.RFF/C506.1154': edifact:CUSRES:D:96B:UN has no group SG99",
    ),
    (('["number", "SG6.SG99.RFF/C506.1154", "text"]',), "place 'SG6.SG99.RFF/C506.1154': SG6 has no group SG99"),
    (('["number", "SG6.BGM/1225", "text"]',), "place 'SG6.BGM/1225': SG6 has no BGM"),
    (('["number", "BGM/C106", "text"]',), "place 'BGM/C106': C106 is a composite, name its component"),
    (('["number", "BGM/C106.9999", "text"]',), "place 'BGM/C106.9999': there is no element 9999"),
    (('["number", "DTM[9999=1]/C507.2380", "text"]',), "place 'DTM[9999=1]/C507.2380': DTM has no element 9999"),
    (
        ('["number", "SG1.NAD/C080.3036[1..6]", "joined"]',),
        "place 'SG1.NAD/C080.3036[1..6]': 3036 stands 5 times only",
    ),
]
XML_ROWS = [
    (('["number", "Nothing", "text"]',), "place 'Nothing': ClearanceNotice has no Nothing"),
    (('["consignor.name", "Consignor/Nothing", "text"]',), "place 'Consignor/Nothing': Consignor has no Nothing"),
    (('["number", "Number/@unit", "text"]',), "place 'Number/@unit': Number has no attribute unit"),
    (('["number", "Number", "text"]', '["remarks", "Number", "text"]'), "place 'Number': stands in two rows"),
    (
        (
            '["goods[]", "Goods", "each"]',
            '["goods[].quantity.unit", "Goods/Quantity/@unit", "text"]',
            '["goods[].weight.unit", "Goods/Quantity/@unit", "text"]',
        ),
        "place 'Goods/Quantity/@unit': stands in two rows",
    ),
    (('["number", "Consignor", "text"]',), "place 'Consignor': Consignor holds elements, no text"),
    (('["number", "Goods", "each"]',), "row 'number': each needs a list of parts"),
    (('["containers[]", "Container", "each"]',), "row 'containers[]': each needs a list of parts"),
    (('["goods[]", "Consignor", "each"]',), "place 'Consignor': Consignor stands once only"),
    (('["containers[]", "Remarks", "text"]',), "place 'Remarks': Remarks stands once only, containers[] is a list"),
    (('["number", "Number", "count"]',), "row 'number': converter count needs a list or a field within one"),
    (('["remarks", "Remarks", "joined"]',), "row 'remarks': converter joined needs several slots, XML has one"),
    (
        ('["goods[].name", "Goods/Name", "text"]',),
        "field 'goods[].name': no each row says where its list repeats",
    ),
    (
        ('["goods[]", "Goods", "each"]', '["remarks", "Goods/Name", "text"]'),
        "field 'remarks': its place repeats with goods[], to which it does not belong",
    ),
    (
        ('["goods[].quantity.nothing", "Remarks", "text"]',),
        "field 'goods[].quantity.nothing': goods.quantity has no 'nothing'",
    ),
    (('["nothing", "Remarks", "text"]',), "field 'nothing': the document has no 'nothing'"),
    (('["goods.name", "Remarks", "text"]',), "field 'goods.name': 'goods' is a list, write []"),
    (('["number[]", "Remarks", "text"]',), "field 'number[]': 'number' is no list, do not write []"),
]


@pytest.mark.parametrize(
    ("head", "rows", "told"),
    [*((EDI, *case) for case in EDI_ROWS), *((XML, *case) for case in XML_ROWS)],
    ids=[told for _, told in (*EDI_ROWS, *XML_ROWS)],
)
def test_a_rows_fault_is_told_in_these_words(head: str, rows: tuple[str, ...], told: str) -> None:
    """Whole words, once, whatever else the table lacks, and about the entry that is wrong: the last."""
    found = [fault for fault in faults(head, *rows) if fault == told or fault.startswith(f"{told} (row ")]
    assert len(found) == 1, faults(head, *rows)
    assert found[0].entry == len(rows) - 1


@pytest.mark.parametrize(
    ("head", "row", "missing"),
    [
        (EDI, '["nothing", "BGM/1225", "text"]', Missing("field", "nothing")),
        (EDI, '["number", "SG99.RFF/C506.1154", "text"]', Missing("part", "SG99")),
        (EDI, '["number", "BGN/1225", "text"]', Missing("part", "BGN")),
        (EDI, '["number", "BGM/9999", "text"]', Missing("element", "9999")),
        (EDI, '["number", "DTM[9999=1]/C507.2380", "text"]', Missing("element", "9999")),
        (XML, '["nothing", "Remarks", "text"]', Missing("field", "nothing")),
        (XML, '["number", "Number", "text"]', Missing("row", "function")),
    ],
)
def test_a_fault_knows_what_is_missing(head: str, row: str, missing: Missing) -> None:
    """What a table names and is not there, or what it must have, by kind and name."""
    assert missing in [fault.missing for fault in faults(head, row)]


def test_a_fault_that_misses_nothing_says_so() -> None:
    """None where nothing is missing, and where an error carries something else by that name."""
    missing = Missing("field", "x")
    assert find_missing(MappingInvalid("x", missing=missing)) is missing
    assert find_missing(MappingInvalid("x", missing="x")) is None
    assert find_missing(MappingInvalid("x")) is None
    assert Fault.of(MappingInvalid("x", missing=missing), key="rows").missing is missing


@pytest.mark.parametrize(
    "row", ['["function", "BGM/1225", "default:9"]', '["function", "", "default"]', '["goods[].name", "", "default:x"]']
)
def test_a_default_is_a_value_outside_lists_without_a_place(row: str) -> None:
    """Each of the three by itself is a fault."""
    field = row.split('"')[1]
    assert f"row {field!r}: default takes a field outside lists, no place, and a value" in faults(EDI, row)


def test_what_an_xml_message_must_hold_is_told_below_what_is_written() -> None:
    """A mandatory element of the message that no row writes is a fault of the rows."""
    found = faults(XML, '["number", "Number", "text"]')
    assert [str(one) for one in found if "must hold" in one] == [
        f"ClearanceNotice must hold {name}, which no row writes"
        for name in ("Function", "Direction", "DeclarationNumber", "Status")
    ]
    assert {one.key for one in found if "must hold" in one} == {"rows"}


def _tops(of: fields.Shape) -> frozenset[str]:
    return frozenset(f"{name}[]" if below.many else name for name, below in of.fields.items())


def test_a_documents_tree_is_told_with_full_paths() -> None:
    """Required fields are looked for only within parts that rows mention; what is unmapped is a tree of the rest."""
    notice = fields.shape(MODELS["clearance"])
    assert "goods[].hs_code" in list(fields.leaves(notice))
    assert "consignor.name" in list(fields.leaves(notice))
    assert "containers[]" in list(fields.leaves(notice))
    result = fields.shape(MODELS["response"])
    required = list(fields.required_without_row(result, frozenset({"reasons[].text"})))
    assert "reasons[].code" in required
    assert not any(path.startswith("reasons") for path in fields.required_without_row(result, frozenset()))
    everything = frozenset(fields.leaves(notice))
    assert fields.unmapped_tree(notice, everything) == {}
    assert fields.unmapped_tree(notice, everything - {"goods[].hs_code", "consignor.name", "remarks"}) == {
        "consignor": {"name": None},
        "goods": {"hs_code": None},
        "remarks": None,
    }
    assert fields.unmapped_tree(notice, frozenset(), "", _tops(notice) - {"number"}) == {"number": None}


def test_values_without_a_row_are_told_by_their_paths() -> None:
    """Lists with their indices; nothing for what is empty."""
    tree: fields.Unmapped = {"a": None, "b": None, "c": {"d": None}, "e": {"f": None}, "g": None, "h": {"i": None}}
    values = {"a": "1", "b": ["x", "y"], "c": {"d": "2"}, "e": [{"f": "3"}, {}, {"f": "4"}], "g": "", "h": None, "z": 1}
    assert list(fields.unmapped_values(values, tree)) == [
        ("a", "1"),
        ("b[0]", "x"),
        ("b[1]", "y"),
        ("c.d", "2"),
        ("e[0].f", "3"),
        ("e[2].f", "4"),
    ]


def test_a_field_is_found_where_one_stands_and_not_where_several_do() -> None:
    """By node, qualifier and slot; two fields in one slot are none, one field of two uses is itself."""
    use = ElementUse.__new__(ElementUse)

    def cell(field: str, component: int) -> Cell:
        return Cell("value", field, (field,), (Slot(2, component, use),))

    def segment(value: str, *cells: Cell) -> SegmentUse:
        return SegmentUse(3, "DTM", (SlotTest(1, 0, (value,)),), cells=list(cells))

    root = GroupUse(
        0, segments={3: [segment("A", cell("x", 0), cell("y", 1), cell("", 1)), segment("B", cell("z", 0))]}
    )
    root.segments[3].append(segment("B", cell("w", 0), cell("v", 1)))
    root.groups[1] = [GroupUse(1, (SlotTest(1, 0, ("C",)),), segments={4: [SegmentUse(4, "RFF", trigger=True)]})]
    root.groups[1][0].segments[4][0].cells.append(cell("inner", 0))
    found = Fields(root)
    a, b, c = ([["DTM"], [value]] for value in "ABC")
    assert [found.find(3, a, 2, component) for component in (0, 1, 2)] == ["x", "y", ""]
    assert [found.find(3, b, 2, component) for component in (0, 1)] == ["", "v"]
    assert [found.find(3, a, 1, 0), found.find(3, c, 2, 0), found.find(9, a, 2, 0)] == ["", "", ""]
    assert [found.find(4, c, 2, 0), found.find(4, a, 2, 0)] == ["inner", ""]


def test_a_lost_default_is_told_and_an_implied_one_is_not() -> None:
    """A format that implies a value and has no place for it writes nothing of it, and tells any other value."""
    text = shipped().text(table.file_of(shipped(), "clearance", "xml:ClearanceNotice:1"))
    lines = [line for line in text.split("\n") if '"remarks"' not in line]
    at = next(index for index, line in enumerate(lines) if line.startswith("rows = ["))
    lines.insert(at + 1, '  ["remarks", "", "default:AS USUAL"],')
    mapping = table.parse(shipped(), "\n".join(lines).encode(), "test.toml")
    values = {"number": "370200126000077000", "function": "9", "direction": "inbound", "status": "issued"}
    for remarks, lost in (("AS USUAL", []), ("OTHERWISE", [("translate.dropped", "remarks", "OTHERWISE")]), (None, [])):
        document = ClearanceNotice.model_validate(
            {**values, "declaration_number": "370200126000077", "remarks": remarks}
        )
        written = mapping.write(document)
        assert [(one.code, one.place.path, one.value) for one in written.findings] == lost
        assert written.body.find("{*}Remarks") is None
    read = mapping.read(
        mapping.write(ClearanceNotice.model_validate({**values, "declaration_number": "370200126000077"})).body
    )
    assert read.values["remarks"] == "AS USUAL"


def test_a_dropped_value_is_shown_up_to_eighty_characters() -> None:
    """79, 80 whole; of 81 the first 79 and an ellipsis. A part has no text."""
    text = shipped().text(table.file_of(shipped(), "clearance", "xml:ClearanceNotice:1"))
    lines = [line for line in text.split("\n") if '"remarks"' not in line]
    mapping = table.parse(shipped(), "\n".join(lines).encode(), "test.toml")
    values = {"number": "370200126000077000", "function": "9", "direction": "inbound", "status": "issued"}
    for length, shown in ((79, "x" * 79), (80, "x" * 80), (81, "x" * 79 + "…")):
        document = ClearanceNotice.model_validate(
            {**values, "declaration_number": "370200126000077", "remarks": "x" * length}
        )
        assert [(one.code, one.value) for one in mapping.write(document).findings] == [("translate.dropped", shown)]
