"""`mapping` and `schema`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import pyx12

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.cli import mapping_trials
from gateway.findings import make_finding
from gateway.model import Place
from gateway.translate import table
from tests.check.test_guides import LOADING, MOVE, at
from tests.check.test_unece import archive
from tests.check.test_xsd_folder import FILES


def test_every_shipped_table_passes_its_trials(run):
    """`mapping test` finds no fault in what we ship, and tries every table."""
    done = run("mapping", "test", "--json")
    assert [line for line in done.lines if line["fault"]] == []
    assert done.code == 0
    assert {(line["document"], line["format"]) for line in done.lines} == set(table.available(shipped()))


def test_what_the_writer_reports_is_no_fault_and_all_else_is():
    """A value that the writer reports may be missing or changed when it is read again; no other may."""
    reported = mapping_trials._Reported(
        [
            make_finding("translate.too_long", place=Place(path="seals[0]")),
            make_finding("translate.incomplete", place=Place(path="hs_code"), value="169"),
        ]
    )

    def difference(found, expected):
        return mapping_trials._difference(found, mapping_trials._without(expected, reported, ""))

    assert difference({"seals": None}, {"seals": ["long"]}) == ""
    assert difference({"seals": ["b"]}, {"seals": ["long", "b"]}) == ""
    assert difference({"seals": ["lon", "b"]}, {"seals": ["long", "b"]}) == ""
    assert difference({"seals": ["c"]}, {"seals": ["long", "b"]}) != ""
    assert difference({"qualifier": None}, {"qualifier": "169"}) == ""
    assert difference({"qualifier": None}, {"qualifier": "170"}) != ""
    assert difference({"other": None}, {"other": "x"}) != ""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An operator's own mappings: one partner's variation."""
    own = tmp_path / "own/mappings"
    (own / "clearance").mkdir(parents=True)
    (own / "clearance/acme.toml").write_text(VARIATION)
    monkeypatch.setenv("GATEWAY_CATALOGUE__FOLDER", str(own.parent))
    return own


VARIATION = 'extends = "clearance/edifact_cusres_d96b"\nwithout = ["remarks"]'


def test_variations_are_listed_by_the_table_they_extend(run, folder):
    """`mapping list` gives the name that `extends` and an agreement's `mapping` take."""
    listed = run("mapping", "list", "--json").json
    format_ = "edifact:CUSRES:D:96B:UN"
    base = {"document": "clearance", "format": format_, "name": "clearance/edifact_cusres_d96b", "extends": ""}
    assert base in listed
    assert {**base, "name": "clearance/acme", "extends": "clearance/edifact_cusres_d96b"} in listed
    assert len(listed) == len(table.available(shipped())) + 1


def test_variations_are_linted_and_parts_are_not(run, folder):
    """`mapping lint` judges each variation as a whole; a part only where it is included."""
    linted = run("mapping", "lint", "--json")
    assert linted.code == 0
    files = {line["file"] for line in linted.json}
    assert "mappings/clearance/acme.toml" in files
    assert not any("/parts/" in file for file in files)
    (folder / "clearance/acme.toml").write_text(VARIATION.replace("remarks", "number"))
    linted = run("mapping", "lint")
    assert linted.code == 1
    assert "clearance/acme.toml:1: number: is required and no row reads it" in linted.out


def test_lint_tells_of_tables_that_take_the_same(run, folder):
    """Two tables of a format whose conditions overlap are each sound, and not together."""
    (folder / "response").mkdir()
    text = shipped().text("mappings/response/edifact_cusres_d96b.toml")
    (folder / "response/edifact_cusres_d96b.toml").write_text(text.replace('"961"', '"961|962"'), "utf-8")
    linted = run("mapping", "lint")
    assert linted.code == 1
    assert "may take the same edifact:CUSRES:D:96B:UN" in linted.out


def test_variations_are_tried_on_the_samples(run, folder, tmp_path, monkeypatch):
    """`mapping test` goes there and back by a variation, and tries its own messages where a sample has some."""
    samples = tmp_path / "samples"
    shutil.copytree(data.samples() / "clearance/full", samples / "clearance/full")
    own = samples / "clearance/full/acme"
    own.mkdir()
    golden = (samples / "clearance/full/out.edi").read_text("utf-8")
    (own / "out.edi").write_text("".join(line for line in golden.splitlines(True) if "FTX+AAI" not in line), "utf-8")
    monkeypatch.setattr(data, "samples", lambda: samples)
    arguments = ("mapping", "test", "--document", "clearance", "--format", "edifact:CUSRES:D:96B:UN")
    done = run(*arguments, "--json")
    tried = {(line["sample"], line["what"]) for line in done.lines if line["variation"] == "clearance/acme"}
    assert tried == {("full/acme/out.edi", "write"), ("full", "round trip")}
    assert [line for line in done.lines if line["fault"]] == []
    (own / "out.edi").write_text(golden, "utf-8")
    done = run(*arguments)
    assert done.code == 1
    assert "clearance as edifact:CUSRES:D:96B:UN by clearance/acme, full/acme/out.edi, write: " in done.out


@pytest.mark.parametrize(
    ("format_", "near"),
    [
        ("edifact:CUSDEC:D:96B", "edifact:CUSDEC:D:96B:UN"),
        ("cusdec", "edifact:CUSDEC:D:96B:UN"),
        ("xml:Respons:1", "xml:Response:1"),
    ],
)
def test_a_near_name_is_suggested(run, format_, near):
    """`schema show` of a format that is not there names those like it."""
    done = run("schema", "show", format_)
    assert done.code == 1
    assert near in done.err


def test_every_format_can_be_shown(run):
    """`schema show` knows each format that documents are exchanged in: tables, XSDs and JSON Schemas."""
    for _, format_ in sorted(table.available(shipped())):
        done = run("schema", "show", format_)
        assert done.code == 0, format_
        assert done.out
    assert run("schema", "show", "xml:Response:1").out.startswith("<?xml")
    assert json.loads(run("schema", "show", "json:release:1").out)["type"] == "object"
    assert run("schema", "show", "xml:Response:1", "--json").json["xsd"].startswith("<?xml")


def test_a_mistyped_name_is_suggested(run):
    """`mapping test` and `validate` offer what may have been meant."""
    assert "near it: declaration" in run("mapping", "test", "--document", "declartion").err
    assert "near it: x12:309:004010" in run("mapping", "test", "--format", "x12:309").err
    assert "near it: edifact:CUSDEC:D:96B:UN" in run("validate", "gateway.toml", "--format", "edifact:CUSDEC:D96B").err


def test_a_directory_is_imported_and_what_is_none_refused(run, tmp_path):
    """`schema import` names the files it made; no archive, or a message the directory lacks, ends with 2."""
    (tmp_path / "d.zip").write_bytes(archive())
    done = run("schema", "import", "d.zip", "tester", "--into", "tables", "--json")
    assert done.code == 0
    assert all((tmp_path / name).is_file() for name in done.json["files"])
    assert any(name.endswith("TESTER.json") for name in done.json["files"])
    for arguments in (("gateway.toml", "TESTER"), ("d.zip", "NOSUCH"), ("d.zip",)):
        done = run("schema", "import", *arguments, "--into", "tables")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"gateway: {arguments[0]}: " if len(arguments) > 1 else "gateway: name the messages")


def test_a_map_is_imported_and_shown(run, tmp_path, monkeypatch):
    """A pyx12 map becomes a table of the operator's own, which `schema show` draws with its qualifiers."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("GATEWAY_CATALOGUE__FOLDER", str(own))
    maps = Path(pyx12.__file__).parent / "map"
    done = run("schema", "import", str(maps / "999.5010X231.A1.xml"), "--json")
    assert done.code == 0
    assert {Path(name).name for name in done.json["files"]} == {"999.json", "directory.json"}
    shown_ = run("schema", "show", "x12:999:005010X231A1", "--elements")
    assert shown_.code == 0
    assert "  IK3  M 1" in shown_.out
    assert run("catalogue", "check").code == 0
    assert run("schema", "import", "gateway.toml").code == 2
    (tmp_path / "lone.xml").write_bytes((maps / "999.5010X231.A1.xml").read_bytes())
    assert "dataele.xml" in run("schema", "import", "lone.xml").err


def test_xsds_are_imported_and_found(run, tmp_path, monkeypatch):
    """What a root needs of a folder is copied, and the message is known by its format from then on."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("GATEWAY_CATALOGUE__FOLDER", str(own))
    folder = tmp_path / "xsds"
    for name, body in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    assert run("schema", "import", "xsds", "--root", "Order").code == 2
    done = run("schema", "import", "xsds", "--root", "Order", "--namespace", "urn:order", "--json")
    assert done.code == 0
    assert {Path(name).name for name in done.json["files"]} >= {"order.xsd", "lines.xsd", "Order-1.toml"}
    assert run("catalogue", "check").code == 0
    assert "urn:order" in run("schema", "show", "xml:Order:1").out


def test_a_guide_is_listed_shown_and_chosen(run, tmp_path, monkeypatch):
    """A guide has its place in `list`, `show` and `diff`, and `validate` goes by it where the message names it."""
    folder = tmp_path / "own/schemas/guides"
    folder.mkdir(parents=True)
    (folder / "acme.json").write_text(json.dumps(LOADING), "utf-8")
    monkeypatch.setenv("GATEWAY_CATALOGUE__FOLDER", str(tmp_path / "own"))
    assert run("catalogue", "check").code == 0
    (listed,) = run("schema", "list", "acme", "--json").json["guides"]
    assert (listed["guide"], listed["narrows"]) == ("acme", "edifact:CODECO:D:99B:UN")
    shown_ = run("schema", "show", "acme").out
    assert "NAD[3035=CF]  M 1  Name and address" in shown_
    assert "FTX  N 9" in shown_
    by_format = run("schema", "show", "edifact:CODECO:D:99B:UN:ACME10").out
    assert by_format.splitlines()[1:] == shown_.splitlines()[1:]
    compared = run("schema", "diff", "edifact:CODECO:D:99B:UN", "acme", "--json")
    assert compared.code == 1
    assert {"kind": "changed", "what": "segment", "place": "FTX", "before": "C 9", "after": "N 9"} in compared.json
    (tmp_path / "move.edi").write_text(
        "UNB+UNOC:3+A+B+260105:0930+1'" + "'".join(at(MOVE, (2, "BGM+36+A1+4"))) + "'UNZ+1+1'"
    )
    done = run("validate", "move.edi", "--json")
    assert "edi.element.code_not_in_guide" in done.out
    (folder / "acme.json").write_text(json.dumps({**LOADING, "uses": [["BGM", "N"]]}), "utf-8")
    assert "guides/acme.json: BGM: is mandatory in its table" in run("catalogue", "check").err


def test_tables_are_shown_with_names(run):
    """Segments, elements and codes have the directory's names; a code list is shown by its element."""
    tree = run("schema", "show", "edifact:CUSRES:D:96B:UN", "--elements").out.splitlines()
    assert "BGM  M 1  Beginning of message" in tree
    assert "    SG2  C 9" not in tree
    assert "  SG2  C 9" in tree
    assert any(line.strip().startswith("1001 C an..3  Document/message name, coded") for line in tree)
    codes = run("schema", "show", "edifact:CUSRES:D:96B:UN", "--codes", "1225", "--json").json
    assert {"code": "9", "name": "Original"} in codes["codes"]
    assert run("schema", "show", "edifact:CUSRES:D:96B:UN", "--codes", "9999").code == 1
    assert "个代码" in run("schema", "show", "edifact:CUSRES:D:96B:UN", "--elements", "--lang", "zh").out
    described = run("schema", "show", "edifact:CUSRES:D:96B:UN", "--json").json
    assert described["segments"]["BGM"][0]["components"][0]["name"] == "Document/message name, coded"


def test_messages_and_directories_are_compared(run):
    """What was added, removed and changed, groups aligned by what stands in them; nothing of what is the same."""
    same = run("schema", "diff", "edifact:CUSRES:D:96B:UN", "edifact:CUSRES:D:96B:UN")
    assert (same.code, same.out) == (0, "")
    compared = run("schema", "diff", "edifact:CUSRES:D:96B:UN", "edifact:CUSRES:D:99B:UN")
    assert compared.code == 1
    lines = compared.out.splitlines()
    assert "~ segment FTX  C 9 → C 99" in lines
    assert "+ group SG6.SG10  C 99" in lines
    assert "~ element MOA/C516.5004  C n..18 → C n..35" in lines
    assert not any("SG1 " in line for line in lines)
    both = run("schema", "diff", "d96b", "d99b", "--json").json
    assert {"kind": "added", "what": "message", "place": "CODECO", "before": ""}.items() <= next(
        one for one in both if one["what"] == "message" and one["place"] == "CODECO"
    ).items()
    assert "段组" in run("schema", "diff", "d96b", "d99b", "--lang", "zh").out
