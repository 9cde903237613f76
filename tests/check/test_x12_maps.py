"""Importing maps in pyx12's form; pyx12's own maps are the material, and pyx12 itself the judge."""

import io
from pathlib import Path

import pytest
import pyx12.error_handler
import pyx12.params
import pyx12.x12n_document

from gateway.check import definitions, structure, x12_maps
from gateway.errors import DirectoryUnreadable
from gateway.model import Syntax
from gateway.parse import x12
from gateway.parse.segments import MessageRead

MAPS = Path(pyx12.__file__).parent / "map"
ELEMENTS = (MAPS / "dataele.xml").read_bytes()

# A claim with a billing provider, a subscriber and one service line; every party in it is invented.
CLAIM = [
    "ST*837*0001*005010X222A1",
    "BHT*0019*00*A1*20260105*0930*CH",
    "NM1*41*2*CLINIC*****46*ACME1",
    "PER*IC*DESK*TE*5550100",
    "NM1*40*2*PAYER*****46*PORT1",
    "HL*1**20*1",
    "NM1*85*2*CLINIC*****XX*1234567893",
    "N3*1 QUAY",
    "N4*ANYTOWN*CA*900010001",
    "REF*EI*123456789",
    "HL*2*1*22*0",
    "SBR*P*18*******MB",
    "NM1*IL*1*DOE*JO****MI*ABC123",
    "N3*2 QUAY",
    "N4*ANYTOWN*CA*90001",
    "DMG*D8*19700101*F",
    "NM1*PR*2*PAYER*****PI*12345",
    "CLM*C1*100***11:B:1*Y*A*Y*Y",
    "HI*ABK:A000",
    "LX*1",
    "SV1*HC:99213*100*UN*1***1",
    "DTP*472*D8*20260104",
    "SE*23*0001",
]
ISA = "ISA*00*          *00*          *ZZ*ACME           *ZZ*PORT           *260105*0930*^*00501*000000001*0*T*:~"


def interchange(segments):
    count = [*segments[:-1], f"SE*{len(segments)}*0001"]
    body = "~".join(["GS*HC*ACME*PORT*20260105*0930*1*X*005010X222A1", *count, "GE*1*1", "IEA*1*000000001"])
    return f"{ISA}{body}~"


def resolved(name, **options):
    found = x12_maps.read_map((MAPS / name).read_bytes(), data_elements=ELEMENTS, **options)
    return found, definitions.resolve(Syntax.X12, found, [], name)


FOUND, TABLE = resolved("837.5010.X222.A1.xml")


def faults(segments):
    """What our table finds, as codes with tag and segment."""
    (read,) = [e.message for e in x12.read(interchange(segments).encode()) if isinstance(e, MessageRead)]
    return [
        (f.code, f.place.tag, f.place.segment) for f in structure.check(read, TABLE).findings if f.severity == "error"
    ]


def is_right(segments):
    """What pyx12 says, by its map."""
    source = io.StringIO(interchange(segments))
    return bool(pyx12.x12n_document.x12n_document(pyx12.params.params(), source, None, None, None))


def test_a_loop_that_is_not_closed():
    """Of pyx12's maps one holds its trailer inside a loop: it is refused, and not imported wrongly."""
    with pytest.raises(DirectoryUnreadable, match="does not end in SE"):
        resolved(UNCLOSED)


UNCLOSED = "277.5010.X212.xml"


@pytest.mark.parametrize("name", sorted(path.name for path in MAPS.glob("[2-9]*.xml") if path.name != UNCLOSED))
def test_every_map_is_imported(name):
    """All maps that pyx12 ships become tables that hold together, for the version that their GS08 names."""
    formats = ["x12:000:005010"] if ".v2." in name else []
    if formats:
        with pytest.raises(DirectoryUnreadable, match="GS08"):
            resolved(name)
    found, table = resolved(name, formats=formats)
    assert table.nodes[0].tag == "ST"
    assert table.nodes[-1].tag == "SE"
    assert all(format_.startswith("x12:") for format_ in found["formats"])


def test_a_map_says_what_it_is():
    """The set by its ST01, the version by its GS08; wrappers for readers are no groups; qualifiers tell segments apart."""
    assert TABLE.formats == ("x12:837:005010X222A1",)
    names = {group.name for group in TABLE.groups}
    assert {"1000A", "2010AA", "2010AB", "2300", "2400"} <= names
    assert not names & {"HEADER", "DETAIL", "FOOTER"}
    billing = next(n for n in TABLE.nodes if TABLE.groups[n.group].name == "2010AA" and n.tag == "NM1")
    assert billing.qualifier.codes == {"85"}
    assert not TABLE.is_plain


CHANGES = [
    ([], []),
    ([(6, [])], ["edi"]),  # no level of the billing provider
    ([(7, ["NM1*87*2*CLINIC"])], ["edi"]),  # pay-to before billing
    ([(7, ["NM1*XX*2*CLINIC"])], ["edi"]),
    ([(10, ["REF*EI*123456789", "NM1*87*2", "N3*1", "N4*ANYTOWN*CA*90001"])], []),
    ([(10, [])], ["edi"]),  # the tax number
    ([(12, ["SBR*P*18*******QQ"])], ["edi"]),
    ([(16, ["DMG*D8*19701301*F"])], ["edi"]),
    ([(18, ["CLM*C1*X***11:B:1*Y*A*Y*Y"])], ["edi"]),
    ([(18, ["CLM*C1*100***11:X:1*Y*A*Y*Y"])], ["edi"]),
    ([(19, [])], ["edi"]),
    ([(20, [])], ["edi"]),
    ([(22, [])], ["edi"]),
    ([(22, ["DTP*472*D8*20260104", "REF*6R*1"])], []),
    ([(22, ["REF*6R*1", "DTP*472*D8*20260104"])], ["edi"]),
    ([(22, ["DTP*472*D8*20260104", "ZZZ*1"])], ["edi"]),
]


@pytest.mark.parametrize(("changes", "expected"), CHANGES)
def test_an_imported_map_judges_as_pyx12_does(changes, expected):
    """A claim and faults of it: the verdict by the table is pyx12's own by its map."""
    segments = list(CLAIM)
    for at, new in changes:
        segments[at - 1 : at] = new
    found = faults(segments)
    assert bool(found) is bool(expected), found
    assert is_right(segments) is not bool(expected)


@pytest.mark.parametrize(
    ("text", "elements", "words"),
    [
        (b"<transaction", ELEMENTS, "no XML"),
        (b"<map/>", ELEMENTS, "not transaction"),
        (b"<transaction/>", ELEMENTS, "ST_LOOP"),
        (b"<transaction><loop xid='ST_LOOP'/></transaction>", ELEMENTS, "SE"),
        ((MAPS / "997.4010.xml").read_bytes(), b"<x/>", "not data_elements"),
    ],
)
def test_what_is_no_map(text, elements, words):
    """A file that is none is refused with the reason."""
    with pytest.raises(DirectoryUnreadable, match=words):
        x12_maps.read_map(text, data_elements=elements)
