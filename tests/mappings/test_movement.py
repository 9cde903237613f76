"""What no row of a movement's tables can say: a 322 names a container twice, and each format is about some movements only."""

from __future__ import annotations

import pytest

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.documents import MovementReport
from gateway.translate import table
from tests.mappings import rig

RAMP = (data.samples() / "movement" / "ramp" / "in.x12").read_bytes()


def test_a_container_that_a_322_names_twice_is_one() -> None:
    """N7 and W2 name it; where they differ, the first is taken and the difference told."""
    read = rig.read_bytes(RAMP, "movement")
    assert not read.findings
    assert read.document == rig.expected_document(data.samples() / "movement" / "ramp")
    read = rig.read_bytes(RAMP.replace(b"W2*CSQU*3054383", b"W2*TGHU*7654320"), "movement")
    assert [(one.code, one.place.tag, one.value) for one in read.findings] == [
        ("translate.conflict", "W2", "TGHU7654320")
    ]
    assert read.document == rig.expected_document(data.samples() / "movement" / "ramp")


@pytest.mark.parametrize(
    ("format_", "code", "kind"),
    [
        ("x12:322:004010", "Q5*I*", "gate_in"),
        ("x12:322:004010", "Q5*UV*", "discharge"),
        ("x12:322:004010", "Q5*AE*", "load"),
    ],
)
def test_a_322_says_by_its_status_what_happened(format_: str, code: str, kind: str) -> None:
    """The shipment status code is the kind of the movement, there and back."""
    read = rig.read_bytes(RAMP.replace(b"Q5*OA*", code.encode()), "movement")
    assert isinstance(read.document, MovementReport)
    assert read.document.kind == kind
    written = table.load(shipped(), "movement", format_).write(read.document, rig.BEIJING)
    assert any(segment.startswith(code) for segment in written.body)


def test_each_value_of_a_list_that_is_dropped_is_told() -> None:
    """Of evidence that a CODECO has no place for, each piece is told, and not that there was some."""
    document = rig.expected_document(data.samples() / "movement" / "full")
    written = table.load(shipped(), "movement", "edifact:CODECO:D:99B:UN").write(document, rig.BEIJING)
    told = {one.place.path: one.value for one in written.findings}
    assert (told["evidence[0]"], told["evidence[1]"]) == ("EV-2026-0201", "EV-2026-0202")
