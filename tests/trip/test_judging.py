from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.catalogue_folders import read_layers, shipped
from gateway.discovery import find_flows
from gateway.errors import CatalogueInvalid
from gateway.trip.judging import judge

DAY = date(2026, 3, 5)
FLOWS = find_flows()
CUSRES = "clearance/edifact_cusres_d96b"


def text(name: str) -> str:
    return shipped().text(name)


def judged(own: Path, name: str, content: str) -> None:
    """Judge what ships with one file of an operator's over it."""
    file = own / name
    file.parent.mkdir(parents=True)
    file.write_text(content, "utf-8")
    layers = read_layers(own)
    catalogue = layers.catalogue()
    catalogue.succeed(shipped())
    judge(catalogue, FLOWS, DAY, least=shipped(), own=layers.own)


def test_what_ships_is_good() -> None:
    """Nothing in it would be refused."""
    judge(shipped(), FLOWS, DAY, least=shipped())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mappings/clearance/acme.toml", f'extends = "{CUSRES}"\nwithout = ["remarks"]'),
        ("schemas/codes/colour.csv", "# source: ours\nun,en,zh\nR,red,红\n"),
        (
            "schemas/edifact/d96b/CUSRES.json",
            text("schemas/edifact/d96b/CUSRES.json").replace('"BGM M 1"', '"BGM M 2"'),
        ),
    ],
)
def test_what_is_sound_is_good(tmp_path: Path, name: str, content: str) -> None:
    """An operator may add variations and lists, and change what ships."""
    assert name not in shipped().files or content != text(name)
    judged(tmp_path, name, content)


HEADLINE = '[[line]]\nrank = 1\nword = "x"\nwhen = {{ {track} = ["{state}"] }}\n'


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        # No TOML, JSON, XSD or CSV.
        ("mappings/clearance/acme.toml", "[[", "clearance/acme: "),
        # The words of findings are no operator's.
        ("schemas/findings/own.toml", "", "schemas/findings/own.toml: the words of findings ship with the gateway"),
        ("schemas/labels.toml", text("schemas/labels.toml") + "#", "schemas/labels.toml: the words of findings ship"),
        ("schemas/findings/own.toml", "[[", "schemas/findings/own.toml: Invalid initial character"),
        ("schemas/labels.toml", "x = 1", "schemas/labels.toml: 'parts'"),
        ("schemas/rules/credit.toml", "[[", "schemas/rules/credit.toml: "),
        ("schemas/edifact/d96b/CUSDEC.json", "[]", "schemas/edifact/d96b/CUSDEC.json: not an object"),
        ("schemas/xml/Transfer.xsd", "<x", "schemas/xml/Transfer.xsd: "),
        ("schemas/xml/index.toml", "", "schemas/xml/index.toml: 'message'"),
        ("schemas/codes/unit.csv", "un,en,zh\n", "schemas/codes/unit.csv: needs a source"),
        ("schemas/codes/own.csv", "un,en,zh\n", "schemas/codes/own.csv: needs a source"),
        # An XSD that takes in another file would be read from a place that the digest does not cover.
        (
            "schemas/xml/Transfer.xsd",
            '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:include schemaLocation="a.xsd"/></xs:schema>',
            "schemas/xml/Transfer.xsd: includes a.xsd, and there is no schemas/xml/a.xsd",
        ),
        # A mapping that lint refuses, with its row.
        (
            "mappings/clearance/acme.toml",
            f'extends = "{CUSRES}"\nrows = [["remarks", "SG99.FTX/C108.4440", "text"]]',
            "clearance/acme: place 'SG99.FTX/C108.4440'",
        ),
        # A table that no mapping fits any more.
        (
            "schemas/edifact/d96b/CUSRES.json",
            text("schemas/edifact/d96b/CUSRES.json").replace('"BGM M 1",', ""),
            f"{CUSRES}: ",
        ),
        # Two tables that take the same.
        (f"mappings/{CUSRES}_2.toml", text(f"mappings/{CUSRES}.toml"), "map the same"),
        # A headline that could never hold: a track, or a state, that there is not.
        ("schemas/rules/headline/consignment.toml", HEADLINE.format(track="weather", state="open"), "headline/"),
        ("schemas/rules/headline/consignment.toml", HEADLINE.format(track="declaration", state="flown"), "flown"),
        # Rules that are over, and a kind that nobody brings.
        (
            "schemas/rules/epidemic.toml",
            '[[set]]\nsource = "t"\nvalid_from = 2001-01-01\nvalid_until = 2002-01-01\nunknown_place = "lock"\n',
            "no epidemic rules are in force on 2026-03-05",
        ),
        ("schemas/rules/lunar.toml", "", "schemas/rules/lunar.toml"),
        # What the code goes by may not be taken away, or be made graver or less grave.
        ("schemas/findings/trip.toml", "", "schemas/findings: gateway.fault stands in no file any more"),
        (
            "schemas/findings/trip.toml",
            text("schemas/findings/trip.toml").replace('["gateway.fault"]', '["gateway.fault"]\nseverity = "note"'),
            "schemas/findings: gateway.fault is a matter of error",
        ),
        (
            "schemas/x12/004010/997.json",
            text("schemas/x12/004010/997.json").replace('"x12:997:004010"', '"x12:998:004010"'),
            "x12:997:004010: no table is for it any more",
        ),
        # What nothing reads is misplaced.
        ("schemas/code/unit.csv", "# source: x\nun,en,zh\nA,a,甲\n", "schemas/code/unit.csv: nothing reads"),
        ("mappings/acme.toml", f'extends = "{CUSRES}"', "mappings/acme.toml: nothing reads"),
    ],
)
def test_what_is_not_good_is_refused_by_name(tmp_path: Path, name: str, content: str, words: str) -> None:
    """File and fault are told."""
    assert name not in shipped().files or content != text(name)
    with pytest.raises(CatalogueInvalid) as caught:
        judged(tmp_path, name, content)
    assert words in str(caught.value)


def test_every_fault_is_told_once(tmp_path: Path) -> None:
    """Two faults are two lines; a list that many mappings go by is told for itself."""
    (tmp_path / "mappings/clearance").mkdir(parents=True)
    (tmp_path / "mappings/clearance/acme.toml").write_text('extends = "clearance/nothing"')
    with pytest.raises(CatalogueInvalid) as caught:
        judged(tmp_path, "schemas/codes/unit.csv", "un,en,zh\n")
    faults = caught.value.details["faults"]
    assert isinstance(faults, tuple)
    assert [fault.partition(": ")[0] for fault in faults] == ["schemas/codes/unit.csv", "clearance/acme"]
