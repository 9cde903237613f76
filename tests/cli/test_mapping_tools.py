"""`mapping lint`, `new`, `explain` and `diff`, and `codes`."""

from __future__ import annotations

import re

import pytest

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.check import codes
from gateway.documents import MODELS
from gateway.errors import MappingInvalid
from gateway.translate import draft, table, types
from tests.catalogues import over_shipped

SOUND = shipped().text("mappings/clearance/edifact_cusres_d96b.toml")


@pytest.mark.parametrize(
    ("old", "new", "told", "suggested"),
    [
        # what is written, what it becomes, a part of the fault's words, a part of the suggestion
        ('"goods[].hs_code"', '"goods[].hscode"', "has no 'hscode'", "goods[].hs_code"),
        ('"BGM/C106.1004"', '"BGM/C106.1040"', "C106.1040", "C106.1004"),
        ('"SG6[1001=929].SG10.CST/1496"', '"SG6[1001=929].SG99.CST/1496"', "has no group SG99", "SG"),
        ('"digits:4..12"', '"digit:4..12"', "there is no converter 'digit'", "digits"),
        ('"code:currency"', '"code:currencies"', "no code list 'currencies'", "currency"),
        ('"datetime:204"', '"datetime:CCXX"', "CCXX", ""),
        ('unmapped = "report"', 'unmapped = "tell"', "unmapped: 'tell'", ""),
        (
            '["number",               "BGM/C106.1004",                          "text"],',
            "",
            "number: is required",
            'add ["number"',
        ),
        ("rows = [", "rows = [ [", "", ""),
    ],
)
def test_a_fault_is_told_with_its_line_and_what_was_meant(run, tmp_path, old, new, told, suggested):
    """Each fault is FILE:LINE: words; where the name is like one that is there, that one is suggested."""
    assert old in SOUND
    text = SOUND.replace(old, new, 1)
    (tmp_path / "bad.toml").write_text(text, "utf-8")
    done = run("mapping", "lint", "bad.toml")
    assert done.code == 1
    (first, *_) = done.out.splitlines()
    file, line, said = first.split(":", 2)
    assert file == "bad.toml"
    assert told in said
    assert suggested in said
    if new and told and new != "rows = [ [":
        wanted = next(at for at, row in enumerate(text.splitlines(), 1) if new in row)
        assert int(line) == wanted
    listed = run("mapping", "lint", "bad.toml", "--json").json[0]["faults"]
    assert listed[0]["line"] == int(line)


def test_a_fault_in_a_part_is_told_where_it_is_included(run, tmp_path):
    """The line of a fault that comes with an include is that of the include."""
    text = SOUND.replace('at = "SG1[3035=CN]" },', 'at = "SG2[3035=CN]" },', 1)
    (tmp_path / "bad.toml").write_text(text, "utf-8")
    done = run("mapping", "lint", "bad.toml", "--json")
    wanted = next(at for at, row in enumerate(text.splitlines(), 1) if 'at = "SG2[3035=CN]"' in row)
    assert {fault["line"] for fault in done.json[0]["faults"]} == {wanted}


@pytest.mark.parametrize(
    ("old", "new", "told", "fault"),
    [
        ("map:23=inbound,22=outbound", "map:23=inbound", "outbound cannot be written", False),
        (
            "map:23=inbound,22=outbound",
            "map:23=inbound,24=inbound,22=outbound",
            "24 is read as inbound and never written",
            False,
        ),
        ("map:23=inbound,22=outbound", "map:23=inbound,22=outwards", "outwards is none of its values", True),
        ('"code:currency"', '"code:package:ciq"', "and are not written", False),
    ],
)
def test_conversions_that_work_one_way_are_found(run, tmp_path, old, new, told, fault):
    """A value that is read and never written, or cannot be written, is noted; one that no document has is a fault."""
    assert old in SOUND
    (tmp_path / "table.toml").write_text(SOUND.replace(old, new, 1), "utf-8")
    done = run("mapping", "lint", "table.toml")
    assert done.code == int(fault)
    assert any(told in line and ("note: " in line) is not fault for line in done.out.splitlines()), done.out


def test_what_a_sound_table_leaves_open_is_told_when_asked_for(run):
    """--open tells dropped fields and unchecked elements; without it, what ships has no fault."""
    done = run("mapping", "lint")
    assert done.code == 0, done.out
    assert "has no place in the format" in run("mapping", "lint", "--open").out


PAIRS = [pair for pair in sorted(table.available(shipped())) if pair[0] != "decision"]


@pytest.mark.parametrize(("document", "format_"), PAIRS, ids=lambda one: str(one).replace(":", "-"))
def test_a_draft_holds_as_far_as_it_goes(document, format_):
    """A draft is TOML whose rows hold by the schema: what is left to do is what the document requires and none gives."""
    text = draft.draft(shipped(), document, format_)
    try:
        table.parse(shipped(), text.encode(), "draft")
    except MappingInvalid as error:
        faults = error.details["faults"]
        assert isinstance(faults, tuple)
        allowed = re.compile(r".*: is required and no row reads it|.* must hold .*, which no row writes")
        assert [fault for fault in faults if not allowed.fullmatch(fault)] == []
        # What the document requires stands in the draft, marked.
        required = [fault.partition(":")[0] for fault in faults if "is required" in fault]
        assert all(re.search(rf'^  # ! \["{re.escape(path)}', text, re.MULTILINE) for path in required)


def test_a_draft_takes_what_elements_are_named_like():
    """Of XML that is named like the document, a draft is nearly the whole table."""
    drafted = table.parse
    text = draft.draft(shipped(), "transfer", "xml:Transfer:1")
    known = {(row.field, row.place) for row in table.load(shipped(), "transfer", "xml:Transfer:1").rows}
    rows = {tuple(match) for match in re.findall(r'^  \["([^"]*)", +"([^"]*)", +"', text, re.MULTILINE)}
    assert len(rows & known) > 0.8 * len(known)
    assert drafted(shipped(), text.encode(), "draft").document == "transfer"


def test_a_draft_is_printed_and_what_is_not_there_told(run):
    """`mapping new` prints the draft; a document or a format that is not there ends it, with what is like it."""
    done = run("mapping", "new", "response", "edifact:APERAK:D:96B:UN")
    assert done.code == 0
    assert done.out.splitlines()[1] == 'document = "response"'
    assert '"BGM/C106.1004"' in done.out or '"BGM/1004"' in done.out
    assert "near it: response" in run("mapping", "new", "respnse", "edifact:APERAK:D:96B:UN").err
    assert run("mapping", "new", "response", "edifact:APERAK:D:96:UN").code == 1


@pytest.mark.parametrize(
    ("model", "path", "converter"),
    [
        ("response", "id", "text"),
        ("response", "at", "datetime"),
        ("response", "task_version", "integer"),
        ("clearance", "direction", "map:1=inbound,2=outbound"),
        ("clearance", "valid_until", "date"),
        ("transfer", "exclusions.pre_inspected", "flag:1,0"),
        ("transfer", "goods[].value.value", "number"),
    ],
)
def test_a_converter_is_guessed_by_the_fields_type(model, path, converter):
    """What a field holds says which converter it most likely has."""
    assert types.likely_converter(MODELS[model], path) == converter


def test_each_value_is_explained(run):
    """`mapping explain` gives every value its place in the message, and the row and converter that read it."""
    path = data.samples() / "declaration/import_sea_container/in.edi"
    done = run("mapping", "explain", path, "--json")
    assert done.code == 0
    (line,) = done.lines
    values = {value["field"]: value for value in line["values"]}
    assert values["departure_country"] == {
        "field": "departure_country",
        "value": "CL",
        "place": "LOC 9, 2",
        "row": "LOC[3227=35]/C517.3225",
        "converter": "code:country",
    }
    assert values["client_reference"]["value"] == "SD-2026-0001"
    assert all(value["converter"] for value in values.values() if value["place"])
    assert "启运国家" in run("mapping", "explain", path, "--lang", "zh").out


def test_what_the_wire_arranges_otherwise_is_explained_by_its_rows(run):
    """Each value of a manifest has its row, also where the message lists containers beside the bills."""
    done = run("mapping", "explain", data.samples() / "manifest/feeder/out.edi", "--json")
    values = {value["field"]: value for value in done.lines[0]["values"]}
    assert all(value["row"] and value["place"] for value in values.values())
    assert values["bills[0].containers[1].number"]["row"] == "SG2[8053=CN].EQD/C237.8260"
    assert values["bills[1].sequence_number"]["row"] == "SG4.CNI/1490"


def test_what_is_not_read_is_not_explained(run):
    """Of a message that is rejected there is nothing to explain: exit code 1, and where to ask."""
    done = run("mapping", "explain", data.samples() / "declaration/rejected_edifact/in.edi")
    assert (done.code, done.out) == (1, "")
    assert "gateway validate" in done.err


def test_versions_are_compared_by_rows_and_samples(run, tmp_path):
    """`mapping diff` tells the rows that changed, and what that does to each sample; equal versions differ in nothing."""
    assert run("mapping", "diff", "clearance/edifact_cusres_d96b", "clearance/edifact_cusres_d96b").code == 0
    (tmp_path / "new.toml").write_text(SOUND.replace('"text"],          # place of examination', '"cut:3"],'), "utf-8")
    done = run("mapping", "diff", "clearance/edifact_cusres_d96b", "new.toml", "--json")
    assert done.code == 1
    rows = [line for line in done.lines if line["what"] == "row"]
    assert [(line["about"], line["old"], line["new"]) for line in rows] == [
        ("inspection_organisation at LOC[3227=43]/C517.3225", "text", "cut:3")
    ]
    written = [line for line in done.lines if line["what"] == "write"]
    assert any(line["old"].startswith("LOC+43+") and line["new"].startswith("LOC+43+") for line in written) or any(
        "LOC+43+" in line["old"] for line in written
    )
    done = run("mapping", "diff", "clearance/edifact_cusres_d96b", "transfer/xml_transfer_1")
    assert done.code == 2
    assert run("mapping", "diff", "clearance/edifact_cusres_d96", "new.toml").code == 2


LIST = "Code;Name;Theirs\nA1;First;x|y\nB2;Second;\nA1;Again;z\n"


def test_a_list_of_others_is_brought_in(run, tmp_path, monkeypatch):
    """`codes import` makes a list of any CSV, with source, version and what is complete; then mappings find it."""
    monkeypatch.setenv("GATEWAY_CATALOGUE__FOLDER", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    (tmp_path / "list.csv").write_text(LIST, "utf-8")
    columns = ("--column", "un=Code", "--column", "acme=Theirs", "--column", "en=Name")
    done = run(
        "codes",
        "import",
        "list.csv",
        "--name",
        "acme_kinds",
        "--source",
        "Acme",
        "--version",
        "2026-03",
        *columns,
        "--complete",
        "un",
        "--separator",
        ";",
    )
    assert done.code == 0, done.err
    known = codes.load(over_shipped(tmp_path / "own"), "acme_kinds")
    assert (known.source, known.version, known.complete) == ("Acme", "2026-03", frozenset({"un"}))
    assert [row["en"] for row in known.rows] == ["First", "Second"]
    assert known.to_canonical("y", "acme") == "A1"
    listed = {one["list"]: one for one in run("codes", "list", "--json").json}
    assert listed["acme_kinds"]["version"] == "2026-03"
    assert run("codes", "show", "acme_kinds", "--find", "second", "--json").json["rows"][0]["un"] == "B2"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--name", "Acme Kinds"), "no name of a list"),
        (("--name", "kinds", "--column", "un=Kode"), "no column Kode"),
        (("--name", "kinds", "--column", "xx=Code"), "one column is un"),
        (("--name", "kinds", "--column", "un=Code", "--complete", "acme"), "complete columns"),
        (("--name", "kinds", "--column", "un"), "OURS=THEIRS"),
    ],
)
def test_a_list_that_cannot_be_made_is_told(run, tmp_path, options, told):
    """What is wrong with a CSV or with what is said of it is one line, and nothing is written."""
    (tmp_path / "list.csv").write_text(LIST, "utf-8")
    done = run("codes", "import", "list.csv", "--source", "Acme", "--separator", ";", "--into", "made", *options)
    assert done.code == 2
    assert told in done.err
    assert not (tmp_path / "made").exists()


def test_a_list_that_is_not_there_is_told_with_those_like_it(run):
    """`codes show` suggests what may have been meant."""
    done = run("codes", "show", "countri")
    assert done.code == 1
    assert "near it: country" in done.err


def test_the_codes_of_packages_are_whole():
    """Recommendation 21 has 406 codes, each of which a declaration and a manifest take; others are refused."""
    known = codes.load(shipped(), "package")
    assert known.gates("un")
    assert not known.gates("ciq")
    assert len(known.rows) == 406
    units = codes.load(shipped(), "package_unit")
    assert units.gates("package")
    assert {row["package"] for row in units.rows} - {""} == {row["un"] for row in known.rows}
