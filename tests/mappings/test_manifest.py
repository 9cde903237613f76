from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import data, findings
from gateway.catalogue_folders import shipped
from gateway.check import rulebook, rules, structure, tables
from gateway.documents import Manifest
from gateway.model import Severity, Strictness
from gateway.parse import x12
from gateway.parse.segments import MessageRead
from gateway.translate import envelope, table
from gateway.translate.context import Context
from tests.mappings import generate, rig

DOCUMENT = "manifest"
X12, CUSCAR, JSON = "x12:309:004010", "edifact:CUSCAR:D:95B:UN", "json:manifest:1"
OCEAN = data.samples() / "manifest/ocean"
FRAME = envelope.Frame("SENDER", "RECIPIENT", "1", datetime(2026, 3, 5, tzinfo=UTC))


def test_what_cuscar_cannot_carry_is_reported_under_the_documents_own_paths() -> None:
    """CUSCAR lists containers beside the bills, but what it drops is named where the document has it."""
    written = table.load(shipped(), DOCUMENT, CUSCAR).write(rig.expected_document(data.samples() / "manifest/feeder"))
    assert [(f.code, f.place.path) for f in written.findings] == [
        ("translate.dropped", path)
        for path in (
            "calls[0].date",
            "calls[0].bill_count",
            "calls[1].date",
            "calls[1].bill_count",
            "bills[0].containers[0].goods[0].reference",
            "bills[0].containers[0].goods[0].origin_country",
            "bills[0].containers[1].goods[0].hazards[0].qualifier",
        )
    ]


def test_what_a_309_requires_is_never_invented() -> None:
    """A barge's manifest lacks values that a 309 must hold: each is named, and nothing is sent."""
    document = rig.expected_document(data.samples() / "manifest/barge")
    rendered = envelope.render(shipped(), document, table.load(shipped(), DOCUMENT, X12), Context(), FRAME)
    required = {f.place.path for f in rendered.findings if f.code == "translate.required"}
    assert rendered.body == b""
    assert {"bills[0].receipt_place", "bills[0].weight.value", "bills[0].containers[0].kind"} <= required


def test_values_are_traced_through_the_rearrangement() -> None:
    """A container's value in a bill has the place of its EQD, goods that of their GID, whatever stands between."""
    read = rig.read(data.samples() / "manifest/feeder/out.edi", DOCUMENT)
    assert str(read.origins["bills[0].containers[1].number"]) == "EQD 11, 2"
    assert str(read.origins["bills[0].containers[1].goods[0].hs_code"]) == "CST 47, 2.1"
    assert str(read.origins["bills[1].containers[0].goods[0].description"]) == "FTX 59, 4"


def test_goods_in_several_containers_stand_in_the_first_and_say_so() -> None:
    """Goods that name two containers are not doubled; the second container keeps its place in the bill."""
    body = (data.samples() / "manifest/barge/in.edi").read_bytes()
    body = body.replace(b"SGP+CSQU3054383'\nGID'\nSGP", b"SGP+CSQU3054383'\nSGP").replace(b"UNT+29", b"UNT+28")
    read = rig.read_bytes(body, DOCUMENT)
    assert isinstance(read.document, Manifest)
    first, second = read.document.bills[0].containers
    assert (len(first.goods), second.number, len(second.goods)) == (1, "MSKU0000011", 0)
    assert [f.code for f in read.findings] == ["translate.spread"]


def test_a_container_that_no_goods_name_belongs_to_the_manifest() -> None:
    """A container that no bill claims stands in a bill without a number, counts as no bill, and comes back the same way."""
    body = (data.samples() / "manifest/barge/in.edi").read_bytes()
    body = body.replace(b"GID'\nSGP+MSKU0000011'\n", b"").replace(b"UNT+29", b"UNT+27")
    read = rig.read_bytes(body, DOCUMENT)
    assert isinstance(read.document, Manifest)
    assert read.findings == []
    assert [(bill.number, [unit.number for unit in bill.containers]) for bill in read.document.bills] == [
        ("BRG-0001", ["CSQU3054383"]),
        (None, ["MSKU0000011"]),
    ]
    assert str(read.origins["bills[1].containers[0].number"]) == "EQD 13, 2"
    found = rules.check(read.document, rulebook.load(shipped()).at(date(2026, 3, 4)))
    assert [one.code for one in found if one.severity is Severity.ERROR] == []
    assert rig.through(read.document, table.load(shipped(), DOCUMENT, CUSCAR)).document == read.document


CONSIGNMENT = """CNI+1+::MASTER-9'
CNT+11:{total}:PX'
RFF+BM:BRG-0001'
NAD+CZ+++A'
GID+1+40:PX'
SGP+CSQU3054383'
RFF+BM:BRG-0002'
NAD+CZ+++B'
GID{own}'
FTX+AAA+++SECOND BILL'
"""


@pytest.mark.parametrize(
    ("total", "own", "told"),
    [
        ("50", "+1+10:PX", [("translate.unread", "CNT 17, 1.2", "50")]),  # the goods say theirs
        ("50", "", [("translate.unread.element", "CNT 17, 1.2", "50")]),  # only the total says how much the second is
    ],
)
def test_a_consignment_of_two_bills_is_two_bills(total: str, own: str, told: list[tuple[str, str, str]]) -> None:
    """Each bill of a CNI is read with its parties and goods; a total over both is told, since no bill can take it."""
    body = (data.samples() / "manifest/barge/in.edi").read_text("utf-8")
    head, _, tail = body.partition("CNI+1")
    text = head + CONSIGNMENT.format(total=total, own=own) + tail[tail.index("UNT+") :]
    text = text.replace("UNT+29", f"UNT+{text[text.index('UNH') : text.index('UNZ')].count(chr(10))}")
    read = rig.read_bytes(text.encode(), DOCUMENT)
    assert isinstance(read.document, Manifest)
    first, second, _ = read.document.bills
    assert [(f.code, str(f.place), f.value) for f in read.findings] == told
    assert [(bill.number, bill.master_number, bill.shipper and bill.shipper.name) for bill in (first, second)] == [
        ("BRG-0001", "MASTER-9", "A"),
        ("BRG-0002", "MASTER-9", "B"),
    ]
    assert read.document.bill_count == 2
    assert str(read.origins["bills[1].goods[0].description"]).startswith("FTX")
    assert str(read.origins["bills[1].master_number"]).startswith("CNI")


def _ocean() -> tuple[list[Any], Any]:
    (event,) = (e for e in x12.read((OCEAN / "in.x12").read_bytes()) if isinstance(e, MessageRead))
    schema = tables.find(shipped(), event.message.type)
    assert schema is not None
    checked = structure.check(event.message, schema)
    read = table.load(shipped(), DOCUMENT, X12).read((event.message, checked), Context())
    return [*event.findings, *checked.findings, *read.findings], read


def test_real_manifest_is_taken_leniently_and_refused_strictly() -> None:
    """A strict agreement refuses the real 309; a lenient one accepts it with its faults told."""
    found, _ = _ocean()
    assert findings.rejects(findings.judged(found, Strictness.STRICT))
    lenient = list(findings.judged(found, Strictness.LENIENT))
    assert not findings.rejects(lenient)
    assert {f.code for f in lenient} == {
        "x12.se.count",
        "edi.element.invalid_date",
        "edi.element.insignificant",
        "edi.note.required",
        "translate.form",
    }


def test_real_manifest_keeps_its_meaning_in_spite_of_its_faults() -> None:
    """Six-digit date, continued descriptions and hazards between their pieces are read as meant."""
    _, read = _ocean()
    assert read.document == rig.expected_document(OCEAN)
    assert read.document.calls[0].date == date(2023, 6, 20)
    assert len(read.document.bills) == 10
    assert len(read.document.container_numbers) == 18
    tank = read.document.bills[1].containers[1].goods[0]
    assert tank.hazards[0].un_number == "2319"
    assert tank.description.endswith("Emergency Phone: 00 00 0000 0000")
    assert str(read.origins["bills[9].containers[2].goods[0].weight.value"]) == "N10 294, 8"


def test_real_manifest_goes_the_whole_way() -> None:
    """As CUSCAR it passes its own check and comes back as the same manifest, but for what was reported; as JSON, as it is."""
    _, read = _ocean()
    rendered = envelope.render(shipped(), read.document, table.load(shipped(), DOCUMENT, CUSCAR), Context(), FRAME)
    (ours,) = rig.messages(rendered.body)
    (expected,) = rig.messages((OCEAN / "out.edi").read_bytes())
    assert ours.segments[1:-1] == expected.segments[1:-1]
    again = rig.read_bytes(rendered.body, DOCUMENT, Context())
    assert isinstance(again.document, Manifest)
    reported = {f.place.path for f in rendered.findings}
    assert set(_differences(read.document.to_json(), again.document.to_json(), "")) <= {
        path.replace("hs_code", "commodity_qualifier").replace("seals[0]", "seals") for path in reported
    }
    assert read.document.to_json() == json.loads((OCEAN / "out.json").read_text("utf-8"))


def _differences(one: Any, other: Any, path: str) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other})
        return [d for n in names for d in _differences(one.get(n), other.get(n), f"{path}.{n}" if path else n)]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [d for at, (a, b) in pairs for d in _differences(a, b, f"{path}[{at}]")]
    return [] if one == other else [path]


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_CODES = st.text(_LETTERS, min_size=2, max_size=4)
_WORDS = st.lists(st.text(_LETTERS + "'+:?.,/-()", min_size=1, max_size=9), min_size=1, max_size=5).map(" ".join)
_LONG = st.lists(st.text(_LETTERS + "'+:?.", min_size=1, max_size=60), min_size=1, max_size=12).map(" ".join)
_NUMBERS = st.integers(1, 99999).map(str)
_WEIGHT = st.fixed_dictionaries({"value": _NUMBERS, "unit": st.sampled_from(["KGM", "LBR", "TNE"])})
_PACKAGES = st.fixed_dictionaries({"value": _NUMBERS, "unit": st.sampled_from(["XPK", "XCT", "XPX"])})
_HAZARD = st.fixed_dictionaries(
    {"un_number": st.from_regex(r"[0-9]{4}", fullmatch=True), "class_code": st.sampled_from(["3", "6.1", "8"])},
    optional={"flash_point": st.integers(100, 999).map(str), "pack_group": st.sampled_from(["1", "2", "3"])},
)
_GOODS = st.fixed_dictionaries(
    {"quantity": _PACKAGES},
    optional={
        "description": _LONG,
        "marks": _WORDS,
        "weight": _WEIGHT,
        "hs_code": st.from_regex(r"[0-9]{6}", fullmatch=True),
        "value": st.fixed_dictionaries({"value": st.integers(10, 9_999_999).map(str)}),
        "hazards": st.lists(_HAZARD, min_size=1, max_size=2),
    },
)
_PARTY = st.fixed_dictionaries(
    {"name": _WORDS.map(lambda text: text[:35].strip())},
    optional={"code": _CODES, "address": _WORDS, "city": _CODES, "subdivision": st.sampled_from(["SD", "JS"])},
)


@st.composite
def _manifests(draw: st.DrawFn) -> Manifest:
    """Manifests that a 309 and a CUSCAR can both carry whole, in every shape of lists."""
    ports = draw(st.lists(st.sampled_from(["CNQDG", "CNSHA", "CNTAO", "CNLYG"]), min_size=1, max_size=3, unique=True))
    numbers = iter(draw(st.permutations([f"CSQU{n:07}" for n in range(15)])))  # five bills of three
    bills = []
    # A 309 nests bills in their ports: each port has one at least, and they come in the order of the ports.
    places = [*ports, *draw(st.lists(st.sampled_from(ports), max_size=2))]
    for at, port in enumerate(sorted(places, key=ports.index), 1):
        containers = [
            {
                "number": next(numbers),
                "kind": draw(st.sampled_from(["4B", "2B"])),
                "load_status": "5",
                "seals": draw(st.lists(st.text(_LETTERS, min_size=2, max_size=10), max_size=2)),
                "goods": draw(st.lists(_GOODS, min_size=1, max_size=3)),
            }
            for _ in range(draw(st.integers(1, 3)))
        ]
        bill = {
            "number": draw(st.text(_LETTERS, min_size=1, max_size=12)),
            "sequence_number": at,
            "issuer": draw(_CODES),
            "type": draw(st.text(_LETTERS, min_size=2, max_size=2)),
            "receipt_place": draw(_CODES),
            "discharge_port": port,
            "quantity": draw(_PACKAGES),
            "weight": draw(_WEIGHT),
            "containers": containers,
        }
        bills.append(bill | draw(st.fixed_dictionaries({}, optional={"shipper": _PARTY, "notify": _PARTY})))
    transport = {"mode": "1", "carrier_code": draw(_CODES), "flag": "PA", "conveyance_name": "SAMPLE", "voyage": "01E"}
    return Manifest.model_validate(
        {
            "number": draw(st.text(_LETTERS, min_size=1, max_size=20)),
            "function": "9",
            "type": "Y",
            "transport": transport,
            "calls": [{"port": port} for port in ports],
            "bills": bills,
        }
    )


@pytest.mark.parametrize("format_", [CUSCAR, JSON])
@settings(generate.BRIEFLY)
@given(document=_manifests())
def test_any_manifest_survives_the_way_through_each_format(format_: str, document: Manifest) -> None:
    """Whatever shape its lists have, a manifest comes back from CUSCAR and JSON unchanged."""
    read = rig.through(document, table.load(shipped(), DOCUMENT, format_))
    assert read.document == document


@settings(generate.BRIEFLY)
@given(document=_manifests())
def test_any_manifest_survives_the_way_through_a_309(document: Manifest) -> None:
    """The same through a 309, whose date of call is mandatory and whose separators cannot be escaped."""
    calls = [{"port": call.port, "date": date(2026, 3, 4)} for call in document.calls]
    dated = Manifest.model_validate(document.model_dump() | {"calls": calls})
    read = rig.through(dated, table.load(shipped(), DOCUMENT, X12))
    assert read.document == dated
