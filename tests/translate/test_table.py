from __future__ import annotations

import hashlib

import pytest

from gateway.catalogue_folders import shipped
from gateway.documents import MODELS
from gateway.errors import MappingInvalid
from gateway.translate import fields, lint, table

HEAD = 'document = "clearance"\nformat = "edifact:CUSRES:D:96B:UN"\n'


@pytest.mark.parametrize("key", table.available(shipped()), ids=":".join)
def test_every_table_loads(key: tuple[str, str]) -> None:
    """Each table of ours fits its document and its schema; one that includes nothing has the digest of its text."""
    mapping = table.load(shipped(), *key)
    assert (mapping.document, mapping.format) == key
    text = shipped().read(table.file_of(shipped(), *key))
    assert (mapping.digest == hashlib.sha256(text).hexdigest()) == (b"{ include = " not in text)


@pytest.mark.parametrize("key", table.available(shipped()), ids=":".join)
def test_every_field_of_a_document_is_mapped_or_said_not_to_be(key: tuple[str, str]) -> None:
    """What a table does not carry is exactly what lint names."""
    mapping = table.load(shipped(), *key)
    remarks = lint.lint(shipped(), mapping)
    assert all(": " in remark for remark in remarks)
    if mapping.format.startswith("json"):
        assert remarks == []


def faults(source: str) -> list[str]:
    with pytest.raises(MappingInvalid) as caught:
        table.parse(shipped(), source.encode(), "test.toml")
    listed = caught.value.details.get("faults")
    return list(listed) if isinstance(listed, tuple) else [str(caught.value)]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ('["nothing", "BGM/C106.1004", "text"]', "the document has no 'nothing'"),
        ('["goods.hs_code", "BGM/C106.1004", "text"]', "'goods' is a list, write []"),
        ('["number[]", "BGM/C106.1004", "text"]', "'number' is no list"),
        ('["number", "BGN/C106.1004", "text"]', "has no BGN"),
        ('["number", "SG99.RFF/C506.1154", "text"]', "has no group SG99"),
        ('["number", "BGM/C106.9999", "text"]', "there is no element 9999"),
        ('["number", "BGM/C106", "text"]', "is a composite, name its component"),
        ('["number", "BGM", "text"]', "names no element"),
        ('["number", "SG1.NAD/C080.3036[1..9]", "joined:35"]', "stands 5 times only"),
        ('["number", "SG1.NAD/C080.3036[1..5]", "text"]', "names several slots"),
        ('["number", "DTM[9999=1]/C507.2380", "text"]', "has no element 9999"),
        ('["number", "BGM/C106.1004", "wonder"]', "there is no converter 'wonder'"),
        ('["goods[].hs_code", "BGM/C106.1004", "text"]', "no each row says where its list repeats"),
        ('["number", "SG6", "each"]', "each needs a list field"),
        ('["containers[]", "EQD", "each"]', "needs a range in its place, not each"),
        ('["number", "CNT[6069=5]/C270.6066", "count"]', "needs a list"),
        ('["number", "", "default:1", "x"]', "a row is [field, place, converter]"),
        ('["number", "BGM/C106.1004", "default:1"]', "default takes a field outside lists, no place"),
        ('["goods[]", "SG6.SG10", "each:sometimes=1"]', "each takes starts=ELEMENT or link=INNER/OUTER"),
    ],
)
def test_each_fault_of_a_row_is_named(row: str, fault: str) -> None:
    """Fields, places and converters are judged at loading, in words that name the row."""
    assert any(fault in told for told in faults(f"{HEAD}rows = [{row}]"))


def test_all_faults_are_told_at_once() -> None:
    """A table with several faults has them all listed, with what it lacks altogether."""
    told = faults(f'{HEAD}unmapped = "lose"\nrows = [["nothing", "BGM/1225", "text"], ["number", "X/1", "text"]]')
    assert len(told) >= 5
    assert any("unmapped" in fault for fault in told)
    assert "direction: is required and no row reads it" in told


def test_a_mandatory_segment_that_no_row_writes_is_a_fault() -> None:
    """Such a table could only ever write messages that are refused."""
    assert "edifact:CUSRES:D:96B:UN must hold BGM, which no row writes" in faults(f"{HEAD}rows = []")


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("rows = [", "at end of document"),
        ('document = "nothing"\nformat = "json:x:1"\nrows = "document"', "there is no document 'nothing'"),
        ('document = "clearance"\nformat = "edifact:NOTHIN:D:96B:UN"\nrows = []', "there is no schema"),
        ('document = "clearance"\nformat = "xml:Nothing:1"\nrows = []', "there is no schema"),
        (f'{HEAD}rows = "document"', "is for JSON"),
        (
            'rows = [["city", ".NAD/3164", "cut:35"]]',
            "names no document; a part is judged in the tables that include it",
        ),
        (f"{HEAD}rows = 7", 'neither a list nor "document"'),
        (f'{HEAD}colour = "red"\nrows = []', "colour: unknown"),
        (f'{HEAD}reshape = "nothing"\nrows = []', "reshape: there is no 'nothing'"),
    ],
)
def test_a_table_that_is_none_is_refused(source: str, fault: str) -> None:
    """Broken TOML, unknown documents, formats and settings are told by name."""
    assert any(fault in told for told in faults(source))


def test_unknown_mappings_are_told_apart_from_broken_ones() -> None:
    """find gives None where there is no table; load says so."""
    assert table.find(shipped(), "clearance", "x12:350:004010") is None
    with pytest.raises(MappingInvalid, match="no mapping of clearance as x12:350:004010"):
        table.load(shipped(), "clearance", "x12:350:004010")
    assert "clearance" in table.documents_of(shipped(), "edifact:CUSRES:D:96B:UN")


@pytest.mark.parametrize("document", MODELS)
def test_every_document_has_its_own_json(document: str) -> None:
    """Whatever is added to the documents, it can be exchanged as JSON."""
    assert table.find(shipped(), document, f"json:{document}:1") is not None


def test_paths_of_values_name_lists_with_their_index() -> None:
    """pydantic's locations are written as canonical paths."""
    assert fields.value_path(("goods", 0, "packs", 12, "kind")) == "goods[0].packs[12].kind"
