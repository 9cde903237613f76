"""Small made-up directories of every form that is imported; the fuzzing of the table readers begins with them."""

from __future__ import annotations

import json

RULE = "-" * 70

ANY_MESSAGE = json.dumps(
    {
        "formats": ["edifact:ANY:D:96B:UN"],
        "source": "made up",
        "structure": ["UNH M 1", ["SG1 C 9", "AAA M 1", "BBB M 2..3"], "UNT M 1"],
    }
).encode()
ANY_DIRECTORY = json.dumps(
    {
        "source": "made up",
        "extends": "../service-4",
        "segments": {"AAA": ["C001 M", "1001 C 2"], "BBB": ["1002 M n..12,2", "1001 C =A,B"]},
        "composites": {"C001": ["1001 M", "1002 C"]},
        "elements": {"1001": "an..3", "1002": "n..15"},
        "codes": {"1001": "A B 1"},
        "notes": {"AAA": ["R0102"]},
    }
).encode()
GUIDE = json.dumps(
    {
        "narrows": "edifact:CUSDEC:D:96B:UN",
        "formats": ["edifact:CUSDEC:D:96B:UN:ACME10"],
        "source": "made up",
        "uses": [
            ["DTM", "M 2..9"],
            ["FTX", "N"],
            ["BGM/1225", "M", "9 4"],
            ["SG1.RFF", "M"],
            ["SG1.RFF/C506.1154", "M ~[0-9]{15}"],
        ],
    }
).encode()

_MESSAGE = """
   Message Type : TESTER
   Version      : D
   Release      : 94Z
   Contr. Agency: UN

4.3.1  Segment table

Pos    Tag Name                                      S   R

0010   UNH Message header                            M   1
0020 + AAA Beginning of message                      M   1
0040       ---- Segment group 1  ------------------ C   9-----------+
0050   BBB Date/time/period                          M   1           |
0060       ---- Segment group 2  ------------------ M   5----------+|
0070   AAA Place/location                            M   1----------++
0090   UNT Message trailer                           M   1
"""
_SEGMENTS = f"""
{RULE}
       AAA  BEGINNING OF MESSAGE

       Function: To begin.

010    C002 DOCUMENT NAME                              C    2
       1001  Document name, coded                      C      an..3
020    1225 A FUNCTION WITH A NAME SO LONG THAT IT GOES
            ON HERE                                    M      an..3
       010 D5(010,020) If first, then all

{RULE}
    +  BBB  DATE/TIME/PERIOD

010 *  2005 Qualifier                                  M      an..3
"""
_COMPOSITES = f"\n{RULE}\n       C002 DOCUMENT NAME\n\n010    1001  Document name, coded    C      an..3\n"
_ELEMENTS = "".join(
    f"\n{RULE}\n\n     {number}  Name\n\n     Desc: Words.\n\n     Repr: {type_}\n"
    for number, type_ in (("1001", "an..3"), ("1225", "an..3"), ("2005", "n..15"))
)
_CODES = f"""
{RULE}

*    1001  Document name, coded

     Desc: Words.

     Repr: an..3

     1     Certificate
              Words.
+    ZZZ   Mutually defined
"""
UNECE = {
    "TESTER_D.94Z": _MESSAGE.encode("cp437"),
    "EDSD.94Z": _SEGMENTS.encode("cp437"),
    "EDCD.94Z": _COMPOSITES.encode("cp437"),
    "EDED.94Z": _ELEMENTS.encode("cp437"),
    "UNCL.94Z": _CODES.encode("cp437"),
}
"""The parts of a directory as the UNECE publishes it, by the names of their files."""

SERVICE = {
    "simple_segments.xml": b"""<segments>
  <segment id="UNA" name="ServiceStringAdvice"><data_element required="true" type="an" length="6"/></segment>
  <segment id="UNO" name="ObjectHeader"><data_element id="0800" required="true" repeat="1" type="an" maxlength="35"/></segment>
  <segment id="USH" name="SecurityHeader">
    <data_element id="0501" name="SecurityServiceCoded" required="true" repeat="1" type="an" maxlength="3"/>
    <composite_data_element id="S500" repeat="2"/>
  </segment>
</segments>""",
    "data_elements.xml": b"""<data_elements>
  <data_element id="0501" name="SecurityServiceCoded" type="an" maxlength="3">
    <code id="1" title="Non-repudiation of origin"/><code id="2" title="Message origin authentication"/>
  </data_element>
  <data_element id="0065" type="an" maxlength="6"><code id="CUSDEC" title="Customs declaration"/></data_element>
</data_elements>""",
    "composite_data_elements.xml": b"""<composite_data_elements>
  <composite_data_element id="S500" name="SecurityDetails"/>
</composite_data_elements>""",
    "messages/autack.xml": b"""<message>
  <segment id="UNH" maxrepeat="1" required="true"/>
  <group id="SG1" maxrepeat="99" required="true"><segment id="USH" maxrepeat="1" required="true"/>
    <segment id="USB" maxrepeat="1" required="true"/>
    <group id="SG3" maxrepeat="9999"><segment id="USX" maxrepeat="1"/><segment id="UNT" required="true"/></group>
  </group>
</message>""",
}
"""The parts of a service directory."""

X12_ELEMENTS = b"""<data_elements>
  <data_ele ele_num="143" data_type="ID" min_len="3" max_len="3" name="Set"/>
  <data_ele ele_num="329" data_type="AN" min_len="4" max_len="9" name="Number"/>
  <data_ele ele_num="96" data_type="N0" min_len="1" max_len="10" name="Count"/>
</data_elements>"""
X12_MAP = b"""<transaction xid="309">
  <name>Made up</name>
  <loop xid="ISA_LOOP" type="explicit"><name>I</name><usage>R</usage><pos>001</pos><repeat>&gt;1</repeat>
  <loop xid="ST_LOOP" type="explicit"><name>S</name><usage>R</usage><pos>020</pos><repeat>&gt;1</repeat>
    <segment xid="ST"><name>Header</name><usage>R</usage><pos>010</pos><max_use>1</max_use>
      <element xid="ST01"><data_ele>143</data_ele><name>N</name><usage>R</usage><seq>01</seq>
        <valid_codes><code>309</code></valid_codes></element>
      <element xid="ST02"><data_ele>329</data_ele><name>N</name><usage>R</usage><seq>02</seq></element>
    </segment>
    <loop xid="1000"><name>L</name><usage>S</usage><pos>020</pos><repeat>9</repeat>
      <segment xid="N9"><name>N</name><usage>R</usage><pos>010</pos><max_use>1</max_use><syntax>R0102</syntax>
        <element xid="N901"><data_ele>143</data_ele><name>N</name><usage>R</usage><seq>01</seq></element>
        <composite xid="C001"><data_ele>C001</data_ele><name>C</name><usage>S</usage><seq>02</seq>
          <element xid="N902-1"><data_ele>96</data_ele><name>N</name><usage>R</usage><seq>01</seq></element></composite>
      </segment>
    </loop>
    <segment xid="SE"><name>Trailer</name><usage>R</usage><pos>030</pos><max_use>1</max_use>
      <element xid="SE01"><data_ele>96</data_ele><name>N</name><usage>R</usage><seq>01</seq></element>
      <element xid="SE02"><data_ele>329</data_ele><name>N</name><usage>R</usage><seq>02</seq></element>
    </segment>
  </loop></loop>
</transaction>"""

XSD = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:b" elementFormDefault="qualified">
  <xs:simpleType name="Code"><xs:restriction base="xs:token"><xs:maxLength value="5"/></xs:restriction></xs:simpleType>
</xs:schema>"""
XSD_MAIN = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:b="urn:b" targetNamespace="urn:a">
  <xs:import namespace="urn:b" schemaLocation="b.xsd"/>
  <xs:element name="Fuzzed"><xs:complexType><xs:sequence>
    <xs:element name="Code" type="b:Code" maxOccurs="3"/></xs:sequence></xs:complexType></xs:element>
</xs:schema>"""
