from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import structure, tables
from gateway.documents import ClearanceNotice, Manifest
from gateway.findings import text
from gateway.model import Severity
from gateway.translate import envelope, table
from gateway.translate.context import EDIFACT_DELIMITERS, Context
from gateway.translate.outcome import Read

FORMAT = "edifact:CUSRES:D:96B:UN"
BEIJING = Context("Asia/Shanghai")
HEAD = ["BGM+962:::CLEARANCE NOTICE+370200126000077000+9", "GIS+23", "GIS+1:148:ZZZ", "RFF+ABT:370200126000077"]


def read(segments: list[str], context: Context = BEIJING, mapping: Any = None) -> Read:
    message = envelope.segment_message(segments, FORMAT, "1", EDIFACT_DELIMITERS)
    schema = tables.find(shipped(), message.type)
    assert schema is not None
    checked = structure.check(message, schema)
    assert not checked.findings, checked.findings
    return (mapping or table.load(shipped(), "clearance", FORMAT)).read((message, checked), context)


def notice(**values: Any) -> ClearanceNotice:
    fixed = {"number": "370200126000077000", "function": "9", "direction": "inbound", "status": "issued"}
    return ClearanceNotice.model_validate({**fixed, "declaration_number": "370200126000077", **values})


def write(document: ClearanceNotice, context: Context = BEIJING) -> tuple[list[str], list[tuple[str, str]]]:
    written = table.load(shipped(), "clearance", FORMAT).write(document, context)
    return written.body, [(f.code, f.place.path) for f in written.findings]


def spliced(*extra: str) -> list[str]:
    """The least notice with `extra` segments behind its BGM or its RFF, where the schema has them."""
    before = [s for s in extra if s[:3] in ("DTM", "FTX", "TDT", "LOC")]
    behind = [s for s in extra if s not in before]
    return [HEAD[0], *before, *HEAD[1:], *behind]


def test_what_no_row_mentions_is_reported_where_it_stands() -> None:
    """An unknown qualifier, a second occurrence and an unused element are each told at their weight, none silently lost."""
    segments = spliced("DTM+171:20260304:102", "FTX+AAB+++A WORD", "LOC+22+4227:162:5+B", "LOC+22+4201")
    segments[-1:] = ["EQD+CN+CSQU3054383++1", segments[-1], "RFF+AAK:1", "RFF+ABT:2"]
    found = read(segments).findings
    assert [(f.severity, f.code, str(f.place), f.value) for f in found] == [
        (Severity.WARNING, "translate.unread", "DTM 3", "DTM+171:20260304:102"),
        (Severity.NOTE, "translate.unmapped", "FTX 4", "FTX+AAB+++A WORD"),
        (Severity.NOTE, "translate.unmapped", "LOC 5, 2.2", "162"),
        (Severity.NOTE, "translate.unmapped", "LOC 5, 2.3", "5"),
        (Severity.WARNING, "translate.unread", "LOC 5, 3", "B"),
        (Severity.WARNING, "translate.unread", "LOC 6", "LOC+22+4201"),
        (Severity.WARNING, "translate.unread", "EQD 9, 4", "1"),
        (Severity.ERROR, "translate.unread.group", "RFF 11", "RFF+AAK:1"),
        (Severity.ERROR, "translate.unread.group", "RFF 12", "RFF+ABT:2"),
    ]


@pytest.mark.parametrize(("unmapped", "found", "kept"), [("report", 1, 0), ("keep", 0, 1), ("ignore", 0, 0)])
def test_a_table_says_what_becomes_of_unmapped_text(unmapped: str, found: int, kept: int) -> None:
    """keep, report or ignore, as the table says; what weighs more is told whatever the table says."""
    source = shipped().text(table.file_of(shipped(), "clearance", FORMAT))
    mapping = table.parse(
        shipped(), source.replace('unmapped = "report"', f'unmapped = "{unmapped}"').encode(), "test.toml"
    )
    assert [f.code for f in read(spliced("DTM+171:20260304:102"), mapping=mapping).findings] == ["translate.unread"]
    outcome = read(spliced("FTX+AAB+++A WORD"), mapping=mapping)
    assert (len(outcome.findings), len(outcome.kept)) == (found, kept)


def test_segments_are_told_apart_by_their_qualifiers() -> None:
    """The same tag means another field by its qualifier, whatever the order."""
    document = read(spliced("LOC+22+4227", "LOC+91+370200", "LOC+43+370210")).document
    assert isinstance(document, ClearanceNotice)
    assert (document.issuing_organisation, document.inspection_organisation, document.customs_office) == (
        "370200",
        "370210",
        "4227",
    )


@pytest.mark.parametrize(
    ("segment", "day"),
    [
        ("DTM+36:20260505:102", date(2026, 5, 5)),
        ("DTM+36:260505:101", date(2026, 5, 5)),
        ("DTM+36:202605051200:203", date(2026, 5, 5)),
        ("DTM+36:20260505", date(2026, 5, 5)),  # no qualifier: the table's own
    ],
)
def test_dates_are_read_in_the_senders_format(segment: str, day: date) -> None:
    """The format qualifier 2379 that the sender gave decides, not the table's."""
    outcome = read(spliced(segment))
    assert outcome.findings == []
    assert outcome.values["valid_until"] == day


def test_local_times_are_in_the_agreements_zone() -> None:
    """The same digits are another instant under another agreement."""
    segments = spliced("DTM+137:20260306140500:204")
    assert read(segments).values["issued_at"] == datetime(2026, 3, 6, 6, 5, tzinfo=UTC)
    assert read(segments, Context("UTC")).values["issued_at"] == datetime(2026, 3, 6, 14, 5, tzinfo=UTC)


def test_codes_are_the_partners_own() -> None:
    """A country comes by the partner's table and goes by the recipient's."""
    assert read(spliced("LOC+40+152"), Context(code_tables="ciq")).values["trade_country"] == "CL"
    body, _ = write(notice(trade_country="CL"), Context(code_tables="customs"))
    assert "LOC+40+CHL" in body


def test_released_characters_are_values() -> None:
    """Release characters are taken off on reading and put back on writing."""
    outcome = read(spliced("FTX+AAI+++A?+B?:C?'D??"))
    assert outcome.values["remarks"] == "A+B:C'D?"
    assert isinstance(outcome.document, ClearanceNotice)
    assert "FTX+AAI+++A?+B?:C?'D??" in write(outcome.document)[0]


def test_long_text_runs_over_components_and_segments() -> None:
    """350 characters fill one FTX, the rest goes into the next, and all of it comes back."""
    words = " ".join(f"WORD{n:03}" for n in range(60))
    body, found = write(notice(remarks=words))
    assert sum(segment.startswith("FTX+AAI") for segment in body) == 2
    assert found == []
    assert read(body).values["remarks"] == words


def test_too_long_text_is_cut_and_told() -> None:
    """Nine FTX are not enough for 4,000 characters; what is lost is told."""
    _, found = write(notice(remarks="X" * 4000))
    assert found == [("translate.cut", "remarks")]


def test_an_identifier_is_never_cut() -> None:
    """A number longer than its element is left out whole, with a finding."""
    body, found = write(notice(contract_number="C" * 40))
    assert found == [("translate.too_long", "contract_number")]
    assert not any("CCC" in segment for segment in body)


def test_control_characters_become_blanks() -> None:
    """A line break, which no repertoire has, is written as a blank and told."""
    body, found = write(notice(remarks="A\nB"))
    assert "FTX+AAI+++A B" in body
    assert found == [("translate.delimiter", "remarks")]


def test_counts_are_verified() -> None:
    """CNT that contradicts the items is an error at its own place, with both figures in words."""
    goods = ["DOC+929", "CST+1+2204210000"]
    (found,) = read([*HEAD, *goods, "CNT+5:3"]).findings
    assert (found.code, str(found.place), found.value) == ("translate.count", "CNT 8, 1.2", "3")
    assert "3" in text(found)
    assert "1" in text(found)
    assert read([*HEAD, *goods, "CNT+5:1"]).findings == []


def test_a_wrong_constant_is_told() -> None:
    """What the table writes always is expected on reading as well."""
    (found,) = read(["BGM+963:::CLEARANCE NOTICE+370200126000077000+9", *HEAD[1:]]).findings
    assert (found.code, found.value, found.args["expected"]) == ("translate.constant", "963", "962")


def test_faults_of_the_document_are_told_at_the_senders_place() -> None:
    """What pydantic refuses has the segment and element it came from; what is missing, its neighbourhood."""
    outcome = read(["BGM+962:::CLEARANCE NOTICE+3702+9", HEAD[1], HEAD[3]])
    assert outcome.document is None
    assert sorted((f.code, str(f.place), f.args["field"]) for f in outcome.findings) == [
        ("document.missing", "", "status"),
        ("document.pattern", "BGM 2, 2", "number"),
    ]


def test_order_comes_from_the_schema() -> None:
    """However the table's rows are shuffled, the segments written are the same."""
    source = shipped().text(table.file_of(shipped(), "clearance", FORMAT))
    head, rows = source.split("rows = [\n")
    lines = [line for line in rows.split("\n") if line.strip().startswith(("[", "{"))]
    document = notice(trade_country="CL", goods=[{"hs_code": "2204210000", "quantity": {"value": "1", "unit": "KGM"}}])
    shuffled = table.parse(
        shipped(), (head + "rows = [\n" + "\n".join(sorted(lines, key=hash)) + "\n]\n").encode(), "test.toml"
    )
    tags = [segment[:3] for segment in shuffled.write(document, BEIJING).body]
    assert tags == [segment[:3] for segment in write(document)[0]]


def test_nothing_is_written_for_what_is_not_there() -> None:
    """The least notice gives the least message: no empty segments, no empty groups."""
    body, found = write(notice())
    assert body == HEAD
    assert found == []


def test_an_optional_composite_goes_whole_or_not_at_all() -> None:
    """A weight without its unit, which MEA must hold, is left out and told, and leaves no empty segment."""
    body, found = write(notice(goods=[{"hs_code": "2204210000", "weight": {"value": "5"}}]))
    assert found == [("translate.incomplete", "goods[0].weight.unit")]
    assert not any(segment.startswith("MEA") for segment in body)


def test_what_the_recipients_codes_lack_is_left_out_and_told() -> None:
    """A country that the recipient's table does not have is no guess."""
    body, found = write(notice(trade_country="ZZ"), Context(code_tables="ciq"))
    assert found == [("translate.code.unwritable", "trade_country")]
    assert not any(segment.startswith("LOC") for segment in body)


def test_a_mandatory_element_without_a_row_is_told() -> None:
    """A table that fills no last element of a segment, mandatory there, loses the message and says why."""
    source = shipped().text(table.file_of(shipped(), "manifest", "x12:309:004010"))
    lessened = source.replace('["type",                       "M10/09",                 "text"],', "")
    assert lessened != source
    document = Manifest.model_validate({"number": "M1", "function": "9", "transport": {"carrier_code": "SMPL"}})
    written = table.parse(shipped(), lessened.encode(), "lessened.toml").write(document, BEIJING)
    told = [f.args["target"] for f in written.findings if f.code == "translate.required"]
    assert "M10 09" in told


LONG = [
    # Whole words where all fits so; a text that is too long is cut anywhere, and what is carried stands there.
    ("N" * 175, ["N" * 35] * 5, []),
    ("N" * 176, ["N" * 35] * 5, [("translate.cut", "declarant_name")]),
    ("A B", ["A B"], []),
]


@pytest.mark.parametrize(("name", "parts", "found"), LONG)
def test_a_text_goes_over_the_elements_there_are(name: str, parts: list[str], found: list[tuple[str, str]]) -> None:
    """What fits is written, and what does not is told, with the field that it is of."""
    body, findings = write(notice(declarant_name=name))
    (party,) = [raw for raw in body if raw.startswith("NAD+DT")]
    assert (party, findings) == ("NAD+DT+++" + ":".join(parts), found)


@pytest.mark.parametrize(("count", "segments"), [(5, 1), (6, 2), (45, 9)])
def test_a_text_goes_on_in_the_segments_repetitions(count: int, segments: int) -> None:
    """Five lines stand in a segment; the next five in another, with the same qualifier, and it is read as one again."""
    text = "N" * (70 * count)
    body, findings = write(notice(remarks=text))
    found = [raw for raw in body if raw.startswith("FTX")]
    assert findings == []
    assert len(found) == segments
    assert all(raw.startswith("FTX+AAI+++" + "N" * 70) for raw in found)
    assert read(body).values["remarks"] == text


def test_a_text_too_long_for_all_repetitions_is_cut_and_told() -> None:
    """Nine segments of five lines hold 3,150 characters."""
    body, findings = write(notice(remarks="N" * 3151))
    assert findings == [("translate.cut", "remarks")]
    assert sum(raw.count("N") for raw in body if raw.startswith("FTX")) == 3150


def test_a_list_holds_as_many_as_the_table_has_room_for() -> None:
    """What is over is not written, and told with the number there were and the number allowed."""
    numbers = [f"CSQU{number:07}" for number in range(1000)]
    written = table.load(shipped(), "clearance", FORMAT).write(notice(containers=numbers), BEIJING)
    assert [raw for raw in written.body if raw.startswith("EQD")] == [f"EQD+CN+{number}" for number in numbers[:999]]
    assert [(f.code, f.place.path, f.value, dict(f.args)) for f in written.findings] == [
        ("translate.too_many", "containers", "1000", {"max": "999"})
    ]
