from __future__ import annotations

import copy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway import data, findings
from gateway.catalogue_folders import shipped
from gateway.check import xsd
from gateway.findings import MOST_TOLD
from gateway.parse import xml
from tests import foreign

CIQ = "http://www.chinaport.gov.cn/ciq"
SAMPLES = sorted(path for path in data.samples().glob("*/*/*.xml") if path.parent.name[:8] != "rejected")


def recognised(body: bytes) -> xsd.Recognised:
    read = xml.read(body)
    assert read.root is not None, read.findings
    known = xsd.recognise(shipped(), read.root)
    assert known is not None
    return known


def declaration(content: str) -> xsd.Recognised:
    body = f'<EEntDeclIo xmlns="{CIQ}"><ITF_DCL_IO_DECL>{content}</ITF_DCL_IO_DECL></EEntDeclIo>'
    return recognised(body.encode())


def transfer(content: str) -> xsd.Recognised:
    return recognised(f'<Transfer xmlns="urn:edi-gateway:transfer">{content}</Transfer>'.encode())


HEAD = (
    "<Number>1</Number><Function>9</Function><Direction>inbound</Direction>"
    "<DeclarationNumber>370200126000077</DeclarationNumber>"
)
ENDS = "<FromOrganisation>1</FromOrganisation><ToOrganisation>2</ToOrganisation>"


@pytest.mark.parametrize("blank", ["\u3000", "\u00a0", "\u2003"], ids=["ideographic", "no-break", "em"])
def test_blanks_that_xml_does_not_know_are_found(blank: str):
    """What libxml2 refuses is never accepted: a Chinese blank in a number is a finding, though xmlschema takes it."""
    body = (data.samples() / "declaration/import_sea_container/out.xml").read_text("utf-8")
    assert "<DeclCode>13<" in body
    known = recognised(body.replace("<DeclCode>13<", f"<DeclCode>13{blank}<").encode())
    assert not xsd.valid(shipped(), known.root, known.format)
    (finding, *_) = xsd.check(shipped(), known.root, known.format)
    assert "DeclCode" in str(finding.args) + finding.place.path


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_samples_are_valid(path: Path):
    """Every XML sample that is to be accepted is valid."""
    known = recognised(path.read_bytes())
    assert xsd.check(shipped(), known.root, known.format) == []


@pytest.mark.parametrize(
    ("known", "code", "args"),
    [
        (declaration("<OrgCode>12</OrgCode>"), "xml.value.pattern", {"name": "OrgCode", "pattern": "n6"}),
        (declaration("<EntDeclNo>" + "1" * 33 + "</EntDeclNo>"), "xml.value.too_long", {"length": "33", "max": "32"}),
        (declaration("<Foo/>"), "xml.element.unknown", {"name": "Foo"}),
        (declaration("<OrgCode/><OrgCode/>"), "xml.element.too_many", {"name": "OrgCode", "max": "1"}),
        (declaration("text"), "xml.text", {"name": "ITF_DCL_IO_DECL"}),
        (declaration('<OrgCode a="1"/>'), "xml.attribute", {"name": "a"}),
        (declaration("<OrgCode><b/></OrgCode>"), "xml.element.children", {"name": "OrgCode"}),
        (transfer(HEAD + "<FromOrganisation>1</FromOrganisation>"), "xml.element.missing", {"name": "Transfer"}),
        (transfer(HEAD + "<ToOrganisation>2</ToOrganisation>"), "xml.element.unexpected", {"name": "ToOrganisation"}),
        (transfer(HEAD + ENDS + "<Goods/><Marks>1</Marks>"), "xml.element.order", {"name": "Marks"}),
        (transfer(HEAD + ENDS + "<Marks>1</Marks><Marks>2</Marks>"), "xml.element.too_many", {"max": "1"}),
        (transfer(HEAD + ENDS + "<Marks>1</Marks><Foo/>"), "xml.element.unknown", {"name": "Foo"}),
        (transfer(HEAD.replace(">9<", ">7<") + ENDS), "xml.value.choice", {"list": "1, 4, 5, 9"}),
        (transfer(HEAD.replace(">1<", "><") + ENDS), "xml.value.too_short", {"length": "0", "min": "1"}),
        (transfer(HEAD + ENDS + "<Goods><IsQualified>2</IsQualified></Goods>"), "xml.value.type", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_kind_of_fault_has_its_code(known: xsd.Recognised, code: str, args: dict[str, str]):
    """A fault is told once, by its own code, at its element, with what its words need, in both languages."""
    (finding,) = xsd.check(shipped(), known.root, known.format)
    assert finding.code == code
    assert args.items() <= finding.args.items()
    assert finding.place.path.startswith(("/EEntDeclIo", "/Transfer"))
    for language in ("en", "zh"):
        assert "–" not in findings.text(finding, language)


def test_every_fault_is_told_at_once():
    """Faults in many elements are all told, not only the first."""
    known = declaration(
        "<OrgCode>1</OrgCode><AplKind>Q</AplKind><ITF_DCL_IO_DECL_GOODS><Qty>x</Qty><Foo/></ITF_DCL_IO_DECL_GOODS>"
    )
    found = xsd.check(shipped(), known.root, known.format)
    assert {finding.place.path.rpartition("/")[2] for finding in found} == {"OrgCode", "AplKind", "Qty", "Foo"}


def test_faults_are_capped():
    """A message that is wrong everywhere gets a bounded number of findings."""
    known = declaration("<Foo/>" * (MOST_TOLD + 500))
    *told, more = xsd.check(shipped(), known.root, known.format)
    assert (len(told), more.code) == (MOST_TOLD, "payload.more_findings")


def test_bare_record_is_qualified_in_place():
    """The record alone, as platforms send it in OBORMessage, is the same message, its lines kept."""
    body = b"<OBORMessage><MessageBody>\n<ITF_DCL_IO_DECL>\n<OrgCode>1</OrgCode></ITF_DCL_IO_DECL></MessageBody></OBORMessage>"
    known = recognised(body)
    assert known.format == "xml:EEntDeclIo:1"
    assert known.root.tag == f"{{{CIQ}}}ITF_DCL_IO_DECL"
    (finding,) = xsd.check(shipped(), known.root, known.format)
    assert (finding.place.line, finding.code) == (3, "xml.value.pattern")


@pytest.mark.parametrize("namespace", [f' xmlns="{CIQ}"', ""], ids=["qualified", "bare"])
def test_passwords_are_emptied(namespace: str):
    """The mailbox's password, which the message carries, is gone before anything could show it."""
    body = f"<ITF_DCL_IO_DECL{namespace}><spare1>box</spare1><spare2>opensesame</spare2></ITF_DCL_IO_DECL>"
    known = recognised(body.encode())
    assert b"opensesame" not in etree.tostring(known.root)
    assert known.root[0].text == "box"


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"<a/>", "xml.no_table"), (b"<EEntDeclIo/>", "xml.namespace"), (b'<Transfer xmlns="urn:x"/>', "xml.namespace")],
)
def test_foreign_roots_have_no_table(body: bytes, code: str):
    """A root that no schema is for is told by its name; where only its namespace is wrong, by that and the right one."""
    root = xml.read(body).root
    assert root is not None
    assert xsd.recognise(shipped(), root) is None
    found = xsd.unknown(shipped(), root)
    assert found.code == code
    if code == "xml.namespace":
        assert found.args["expected"] in {entry.namespace for entry in xsd.entries(shipped()).values()}


def test_a_child_in_another_namespace_is_told_so():
    """An element that is named as it should be, but in another namespace, is a fault of the namespace at its line."""
    body = (data.samples() / "response/full/in.xml").read_bytes()
    root = xml.read(body).root
    assert root is not None
    child = root[0]
    child.tag = f"{{urn:other}}{xml.local_name(child)}"
    told = [f for f in xsd.check(shipped(), root, "xml:Response:1") if f.code == "xml.namespace"]
    assert [(f.args["namespace"], f.args["expected"]) for f in told] == [("urn:other", xml.namespace(root))]
    assert told[0].place.line == 3  # behind the declaration and the root


@foreign.needed
@pytest.mark.parametrize("name", ["cds_export_TT_EX001a.xml", "ncts_cc015c-valid.xml"])
def test_other_authorities_messages_have_no_table(name: str):
    """Declarations of other customs are well-formed, and no table is held for them."""
    root = xml.read(foreign.material(f"samples/xml/{name}").read_bytes()).root
    assert root is not None
    assert xsd.recognise(shipped(), root) is None


@foreign.needed
def test_synthetic_declaration_is_valid():
    """A declaration as a broker's software lays it out is valid."""
    known = recognised(foreign.material("reference/ciq/cn_ciq_EEntDeclIo_sample_synthetic.xml").read_bytes())
    assert xsd.check(shipped(), known.root, known.format) == []


def _mutated(root: etree._Element, choose: st.DataObject) -> etree._Element:
    """A copy of `root` with one thing changed."""
    changed = copy.deepcopy(root)
    elements = list(changed.iter())
    element = elements[choose.draw(st.integers(0, len(elements) - 1))]
    parent = element.getparent()
    match choose.draw(st.sampled_from(["text", "drop", "repeat", "rename", "attribute", "move"])):
        case "text":
            element.text = choose.draw(st.sampled_from(["", " ", "x", "1" * 40, "-1", "2026-13-01", "检验", "123456"]))
        case "drop" if parent is not None:
            parent.remove(element)
        case "repeat" if parent is not None:
            element.addnext(copy.deepcopy(element))
        case "rename":
            element.tag = choose.draw(st.sampled_from([f"{element.tag}x", "plain", str(elements[-1].tag)]))
        case "move" if parent is not None:
            parent.insert(0, element)
        case _:
            element.set(choose.draw(st.sampled_from(["a", "unit", "function"])), "x")
    return changed


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.name}")
@settings(max_examples=60, deadline=None)
@given(choose=st.data())
def test_fast_and_thorough_verdicts_agree(path: Path, choose: st.DataObject):
    """libxml2 refuses a changed message exactly where xmlschema finds a fault to word."""
    known = recognised(path.read_bytes())
    changed = _mutated(known.root, choose)
    thorough = list(xsd.thorough(shipped(), known.format).iter_errors(changed))
    assert xsd.valid(shipped(), changed, known.format) == (not thorough)
    for finding in xsd.check(shipped(), changed, known.format):
        assert finding.code in findings.catalogue()
