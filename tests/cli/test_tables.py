"""`mapping` and `schema`."""

from __future__ import annotations

import json
import shutil

import pytest

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.cli import mapping_trials
from gateway.findings import make_finding
from gateway.model import Place
from gateway.translate import table
from tests.check.test_unece import archive


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
    for arguments in (("gateway.toml", "TESTER"), ("d.zip", "NOSUCH")):
        done = run("schema", "import", *arguments, "--into", "tables")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"gateway: {arguments[0]}: ")
