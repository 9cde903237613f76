"""Importing service directories: what is there stays, what is missing comes, and groups stand where ISO 9735 has them."""

import json

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import service_directory, structure, tables
from gateway.errors import DirectoryUnreadable
from gateway.model import Syntax
from gateway.parse import edifact
from gateway.parse.segments import MessageRead, MessageType
from tests import foreign

SEGMENTS = """<segments>
  <segment id="UNA" name="ServiceStringAdvice"><data_element required="true" type="an" length="6"/></segment>
  <segment id="UNO" name="ObjectHeader"><data_element id="0800" required="true" repeat="1" type="an" maxlength="35"/></segment>
  <segment id="USH" name="SecurityHeader">
    <data_element id="0501" name="SecurityServiceCoded" required="true" repeat="1" type="an" maxlength="3"/>
    <composite_data_element id="S500" repeat="2"/>
    <data_element id="0065" repeat="1" type="an" maxlength="6"/>
  </segment>
</segments>"""
ELEMENTS = """<data_elements>
  <data_element id="0501" name="SecurityServiceCoded" type="an" maxlength="3">
    <code id="1" title="Non-repudiation of origin"/><code id="2" title="Message origin
      authentication"/>
  </data_element>
  <data_element id="0577" type="an" maxlength="3"><code id="Note 1: X" title="read wrongly"/></data_element>
  <data_element id="0065" type="an" maxlength="6"><code id="CUSDEC" title="Customs declaration"/></data_element>
</data_elements>"""
MESSAGE = """<message>
  <segment id="UNH" maxrepeat="1" required="true"/>
  <group id="SG1" maxrepeat="99" required="true"><segment id="USH" maxrepeat="1" required="true"/>
    <segment id="USB" maxrepeat="1" required="true"/>
    <group id="SG3" maxrepeat="9999"><segment id="USX" maxrepeat="1" required="true"/><segment id="UNT" required="true"/></group>
  </group>
</message>"""
FILES = {
    "data/simple_segments.xml": SEGMENTS.encode(),
    "data/data_elements.xml": ELEMENTS.encode(),
    "data/composite_data_elements.xml": b'<composite_data_elements><composite_data_element id="S500" name="SecurityDetails"/></composite_data_elements>',
    "data/messages/autack.xml": MESSAGE.encode(),
    "readme.txt": b"not read",
}
PRESENT = {
    "source": "ours",
    "segments": {"UNT": ["0074 M"]},
    "composites": {"S500": ["0577 M"]},
    "elements": {"0065": "an..6", "0074": "n..10"},
    "codes": {},
}


def test_what_a_service_directory_says():
    """Segments with their uses, types, codes and names as words; a list that was read wrongly gates nothing."""
    directory = service_directory.read_service(FILES)
    assert service_directory.version_of(directory) == "4"
    assert directory.segments["USH"] == ["0501 M", "S500 C 2", "0065 C"]
    assert directory.elements["0800"] == "an..35"
    assert directory.codes == {"0501": ["1", "2"], "0065": ["CUSDEC"]}
    assert directory.code_names["0501"]["2"] == "Message origin authentication"
    assert directory.names["USH"] == "Security header"


def test_what_is_there_stays():
    """Elements that headers use get no list of codes; what is new gets its own; UNA is no segment."""
    whole = service_directory.merged(service_directory.read_service(FILES), PRESENT, "theirs")
    assert whole["segments"].keys() == {"UNO", "USH", "UNT"}
    assert whole["codes"] == {"0501": "1 2"}
    assert whole["elements"] == {
        "0065": "an..6",
        "0074": "n..10",
        "0501": "an..3",
        "0577": "an..3",
        "0800": "an..35",
    }
    assert whole["source"] == "ours; theirs"
    with pytest.raises(DirectoryUnreadable, match="S500"):
        service_directory.merged(service_directory.read_service(FILES), {**PRESENT, "composites": {}}, "theirs")


def test_groups_stand_where_the_standard_has_them():
    """The files nest each later group inside the one before, and hold the trailer in the innermost."""
    table = service_directory.message_table(service_directory.read_service(FILES), "AUTACK", ["f"], "s")
    assert table["structure"] == ["UNH M 1", ["SG1 M 99", "USH M 1"], "USB M 1", ["SG3 C 9999", "USX M 1"], "UNT M 1"]
    with pytest.raises(DirectoryUnreadable, match="no message KEYMAN"):
        service_directory.message_table(service_directory.read_service(FILES), "KEYMAN", ["f"], "s")


@pytest.mark.parametrize("files", [{"a.xml": b"<x"}, {"a.xml": b"<segments/>"}, {}])
def test_what_is_none(files):
    """A folder without segments or elements, or with broken XML, is refused."""
    with pytest.raises(DirectoryUnreadable):
        service_directory.read_service(files)


@foreign.needed
@pytest.mark.parametrize("message", ["CONTRL", "AUTACK", "KEYMAN"])
def test_the_shipped_service_messages_say_what_the_directory_says(message):
    """The structure that ships is the imported one."""
    folder = foreign.material("reference/edifact-service/v402")
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.xml")}
    directory = service_directory.read_service(files)
    ours = json.loads(shipped().read(f"schemas/edifact/service-4/{message}.json"))
    assert service_directory.message_table(directory, message, [], "")["structure"] == ours["structure"]


AUTACK = (
    "UNB+UNOA:4+ACME+PORT+20260105:0930+I1'UNH+A1+AUTACK:4:1:UN'USH+7+1+3+1+2+1+1'USA+1:16:1:6:1'"
    "USB+1+1:20260105:093000+ACME+PORT'USX+I0+ACME+PORT'USY+1+1:0123456789ABCDEF'UST+1+3'UNT+8+A1'UNZ+1+I1'"
)


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ("", "", []),
        ("USB+1+1:20260105:093000+ACME+PORT'", "", ["edi.segment.missing"]),
        ("USH+7+1", "USH+99+1", ["edi.element.unknown_code"]),
        ("UST+1+3'", "", ["edi.group.missing"]),
        ("USY+1+1:0123456789ABCDEF'", "", ["edi.segment.missing"]),
        ("USA+1:16:1:6:1'", "USA+1:16:1:6:1'" * 4, ["edi.segment.too_many"]),
    ],
)
def test_autack_is_checked(old, new, codes):
    """A security acknowledgement by its own table: its segments are none that secure another message."""
    text = AUTACK.replace(old, new) if old else AUTACK
    (read,) = [event.message for event in edifact.read(text.encode()) if isinstance(event, MessageRead)]
    table = tables.find(shipped(), MessageType(Syntax.EDIFACT, "AUTACK", "4", "1", "UN"))
    assert table is not None
    assert [f.code for f in structure.check(read, table).findings] == codes
