"""Documents that travel in one message type, told apart by what stands in the message."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.errors import MappingInvalid
from gateway.findings import text
from gateway.model import Finding
from gateway.parse.segments import Delimiters, Envelope, SegmentMessage
from gateway.translate import table, when
from tests.catalogues import over_shipped

FORMAT = "edifact:CUSRES:D:96B:UN"
UNA = Delimiters("'", "+", ":", "?")


def message(*segments: str) -> SegmentMessage:
    """A CUSRES with these segments behind its UNH."""
    body = ["UNH+1+CUSRES:D:96B:UN", *segments, "UNT+3+1"]
    envelope = Envelope(table.message_type(FORMAT).syntax, UNA, [["UNB"]])
    return SegmentMessage(table.message_type(FORMAT), "1", body, UNA, 1, envelope)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped tables to write more into."""
    copied = tmp_path / "mappings"
    shutil.copytree(data.mappings(), copied)
    return copied


def put(folder: Path, table_: str, conditions: str) -> None:
    """Give a table of the folder these conditions."""
    path = folder / f"{table_}.toml"
    lines = [line for line in path.read_text("utf-8").split("\n") if not line.startswith("when ")]
    path.write_text("\n".join([*lines[:2], conditions, *lines[2:]]), "utf-8")


@pytest.mark.parametrize(
    ("segments", "document"),
    [
        (("BGM+962+1+9",), "clearance"),
        (("BGM+961+1+9",), "response"),
        (("BGM+962:::CLEARANCE NOTICE+1+9",), "clearance"),
        (("DTM+137:20260305:102", "BGM+961+1"), "response"),  # the first BGM, wherever it stands
        (("BGM+961+1", "BGM+962+1"), "response"),
        (("BGM+9?62+1", "FTX+AAI"), "clearance"),  # a release character before what needs none
    ],
)
def test_a_message_is_the_document_whose_conditions_it_meets(segments: tuple[str, ...], document: str) -> None:
    """What stands in BGM 1001 says whether a CUSRES is a clearance notice or a response."""
    assert table.choose(shipped(), FORMAT, message(*segments)) == document


@pytest.mark.parametrize(
    ("segments", "place", "value"),
    [
        (("BGM+963+1",), "BGM 2, 1", "963"),
        (("BGM+963:::ERRORS+1",), "BGM 2, 1.1", "963"),
        (("BGM++1",), "BGM 2, 1", ""),
        (("BGM",), "BGM", ""),
        (("BGMX+962",), "BGM", ""),
    ],
)
def test_a_message_that_meets_none_is_told_by_element_and_value(
    segments: tuple[str, ...], place: str, value: str
) -> None:
    """The finding stands at the element, and says its value and those that some table takes."""
    found = table.choose(shipped(), FORMAT, message(*segments))
    assert isinstance(found, Finding)
    assert (found.code, str(found.place), found.value) == ("mapping.none_for", place, value)
    assert text(found) == (
        f"No mapping reads a {FORMAT} that says “{value}” at BGM/C002.1001. Those that are read say 961, 962."
    )


def test_a_format_with_one_table_and_no_conditions_is_not_looked_into() -> None:
    """Its document is known without the message; a format without tables has none."""
    assert table.choose(shipped(), "edifact:CUSDEC:D:96B:UN", message()) == "declaration"
    assert table.choose(shipped(), "xml:Transfer:1") == "transfer"
    assert table.choose(shipped(), "edifact:APERAK:D:96B:UN", message()) is None
    assert set(table.documents_of(shipped(), FORMAT)) == {"clearance", "response"}


def test_several_places_must_all_fit_and_the_one_to_blame_is_named(folder: Path) -> None:
    """Of two places each must hold one of its values; told is the one whose value no table knows."""
    put(folder, "clearance/edifact_cusres_d96b", 'when = { "BGM/C002.1001" = "962", "BGM/1225" = "9|5" }')
    assert table.choose(over_shipped(folder.parent), FORMAT, message("BGM+962+1+5")) == "clearance"
    assert table.choose(over_shipped(folder.parent), FORMAT, message("BGM+961+1+7")) == "response"
    for bgm, element in (("BGM+962+1+7", "BGM/1225"), ("BGM+963+1+9", "BGM/C002.1001")):
        found = table.choose(over_shipped(folder.parent), FORMAT, message(bgm))
        assert isinstance(found, Finding)
        assert found.args["element"] == element


def test_a_place_may_be_picked_by_its_qualifier(folder: Path) -> None:
    """The first segment that passes the tests of the place counts."""
    at = '"GIS[1131=109]/C529.7365" = "1|2|3|4|5|6|7"'
    put(folder, "response/edifact_cusres_d96b", f"when = {{ {at} }}")
    put(folder, "clearance/edifact_cusres_d96b", 'when = { "GIS[1131=109]/C529.7365" = "9" }')
    assert (
        table.choose(over_shipped(folder.parent), FORMAT, message("BGM+1", "GIS+9:148:ZZZ", "GIS+4:109:ZZZ"))
        == "response"
    )


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({"a": "1"}, {"a": "2"}, False),
        ({"a": "1|2"}, {"a": "2|3"}, True),
        ({"a": "1"}, {"b": "1"}, True),  # nothing keeps a message from holding both
        ({"a": "1", "b": "1"}, {"a": "1", "b": "2"}, False),
        ({"a": "1"}, None, True),
        (None, None, True),
    ],
)
def test_conditions_overlap_where_one_message_could_meet_both(
    one: dict[str, str] | None, other: dict[str, str] | None, both: bool
) -> None:
    """Two tables are apart only by a place at which they ask for different values."""
    assert when.overlap(when.parse(one), when.parse(other)) is both
    assert when.overlap(when.parse(other), when.parse(one)) is both


@pytest.mark.parametrize("conditions", ['when = { "BGM/C002.1001" = "961|962" }', 'when = { "BGM/1225" = "9" }', ""])
def test_tables_that_may_take_the_same_message_do_not_load(folder: Path, conditions: str) -> None:
    """Overlap is an error before any message comes, and names both tables."""
    put(folder, "clearance/edifact_cusres_d96b", conditions)
    with pytest.raises(MappingInvalid, match="response/edifact_cusres_d96b and clearance/edifact_cusres_d96b may take"):
        table.available(over_shipped(folder.parent))


@pytest.mark.parametrize(
    ("conditions", "fault"),
    [
        ('"BGM/1001"', "when: is a place with its values"),
        ("{}", "when: is a place with its values"),
        ('{ "BGM/C002.1001" = 962 }', "when: is a place with its values"),
        ('{ "BGN/C002.1001" = "962" }', "'BGN/C002.1001': is not one element of a segment outside all groups"),
        ('{ "SG1.NAD/3035" = "CZ" }', "is not one element of a segment outside all groups"),
        ('{ "BGM" = "962" }', "is not one element of a segment outside all groups"),
        ('{ "BGM/C002.9999" = "962" }', "BGM has no element C002.9999"),
        ('{ "BGM/4343" = "AP" }', "when: no row writes BGM/4343"),
        ('{ "BGM/C002.1001" = "961|963" }', "when: BGM/C002.1001 is written as 962, which is none of 961, 963"),
    ],
)
def test_conditions_that_are_none_are_told(folder: Path, conditions: str, fault: str) -> None:
    """Places are judged by the schema, values by what the table itself writes."""
    put(folder, "clearance/edifact_cusres_d96b", f"when = {conditions}")
    with pytest.raises(MappingInvalid) as caught:
        table.parse(
            over_shipped(folder.parent), (folder / "clearance/edifact_cusres_d96b.toml").read_bytes(), "tried.toml"
        )
    assert fault in str(caught.value)


def test_other_syntaxes_say_themselves_what_they_are(folder: Path) -> None:
    """An XML message's root and a JSON message's format leave nothing to tell apart."""
    put(folder, "transfer/xml_transfer_1", 'when = { "Function" = "9" }')
    with pytest.raises(MappingInvalid, match="when: is for EDIFACT and X12"):
        table.load(over_shipped(folder.parent), "transfer", "xml:Transfer:1")
