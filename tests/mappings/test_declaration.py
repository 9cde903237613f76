from __future__ import annotations

import pytest

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.documents import Declaration
from gateway.translate import table
from gateway.translate.context import Context
from tests.mappings import oracle, rig

DOCUMENT = "declaration"


def test_what_cusdec_cannot_carry_is_reported_field_by_field() -> None:
    """Each field that has no place in CUSDEC is named with its value, and nothing else is."""
    document = Declaration.model_validate(
        {
            "direction": "inbound",
            "function": "9",
            "claim_date": "2026-06-01",
            "software": "SAMPLE 1.0",
            "goods": [
                {"sequence_number": 1, "note_2": "备注", "packs": [{"quantity": 1, "material": "木"}]},
                {"sequence_number": 2, "licences": [{"number": "L1", "quantity": "5", "balance": "95.5"}]},
            ],
        }
    )
    written = table.load(shipped(), DOCUMENT, "edifact:CUSDEC:D:96B:UN").write(document, rig.BEIJING)
    assert {(f.place.path, f.value) for f in written.findings} == {
        ("claim_date", "2026-06-01"),
        ("software", "SAMPLE 1.0"),
        ("goods[0].note_2", "备注"),
        ("goods[0].packs[0].material", "木"),
        ("goods[1].licences[0].quantity", "5"),
        ("goods[1].licences[0].balance", "95.5"),
    }
    assert {f.code for f in written.findings} == {"translate.dropped"}


@pytest.mark.parametrize(
    ("code_tables", "expected"),
    [
        ("un", ["LOC+40+CL", "MEA+AAR++LTR:9000", "MOA+38:36000:USD", "TDT+11++1", "EQD+CN++22R1:102:5"]),
        ("ciq", ["LOC+40+152", "MEA+AAR++095:9000", "MOA+38:36000:840", "TDT+11++1", "EQD+CN++221:102:5"]),
        ("customs", ["LOC+40+CHL", "MEA+AAR++095:9000", "MOA+38:36000:USD", "TDT+11++2", "EQD+CN++22:102:5"]),
    ],
)
def test_coded_values_are_the_partners_own(code_tables: str, expected: list[str]) -> None:
    """The same declaration is coded in each partner's own tables, and read from them as the same document."""
    document = Declaration.model_validate(
        {
            "direction": "inbound",
            "function": "9",
            "trade_country": "CL",
            "transport": {"mode": "1"},
            "goods": [
                {"standard_quantity": {"value": "9000", "unit": "LTR"}, "value": {"value": "36000", "currency": "USD"}}
            ],
            "container_groups": [{"size_type": "22R1"}],
        }
    )
    mapping = table.load(shipped(), DOCUMENT, "edifact:CUSDEC:D:96B:UN")
    context = Context("Asia/Shanghai", code_tables)
    written = mapping.write(document, context)
    assert written.findings == []
    assert set(expected) <= set(written.body)
    read = rig.through(document, mapping, context)
    assert read.document is not None
    assert oracle.of_list(read.document, mapping.format) == oracle.of_list(document, mapping.format)


def test_times_are_in_the_partners_zone() -> None:
    """A declaration's time stands in local time on the wire and is the same instant when read."""
    document = rig.expected_document(rig.cases(DOCUMENT, rejected=False)[0])
    mapping = table.load(shipped(), DOCUMENT, "edifact:CUSDEC:D:96B:UN")
    written = {zone: mapping.write(document, Context(zone)).body for zone in ("UTC", "Asia/Shanghai")}
    (utc,) = (segment for segment in written["UTC"] if segment.startswith("DTM+137"))
    (local,) = (segment for segment in written["Asia/Shanghai"] if segment.startswith("DTM+137"))
    assert (utc, local) == ("DTM+137:20260307060000:204", "DTM+137:20260307140000:204")


def test_large_sample_has_77_segments() -> None:
    """The sample that speed is measured on is as long as the figure says: 77 segments, UNH to UNT."""
    (message,) = rig.messages((data.samples() / DOCUMENT / "large" / "in.edi").read_bytes())
    assert len(message.segments) == 77
