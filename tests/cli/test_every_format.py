"""Each document is sent to each format that it is written in, and what was written is checked as any message is."""

from __future__ import annotations

import json

import pytest

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.receipt import advice
from gateway.translate import table

PAIRS = sorted({*table.available(shipped()), *(("response", format_) for format_ in advice.WRITERS)})
CASES = {
    document: sorted(path.parent for path in (data.samples() / document).glob("*/document.json"))
    for document, _ in PAIRS
}


@pytest.mark.parametrize(("document", "format_"), PAIRS, ids=lambda one: str(one).replace(":", "-"))
def test_a_document_is_written_in_each_of_its_formats(run, tmp_path, document, format_):
    """`translate --to` writes every document in every format of its, and `validate` finds no error in what was written."""
    good = 0
    for case in CASES[document]:
        stored = json.loads((case / "document.json").read_text("utf-8"))
        message = {"format": f"json:{document}:1", "reference": case.name, "document": stored}
        (tmp_path / "in.json").write_text(json.dumps(message), "utf-8")
        codes = ("--code-tables", "un", "--time-zone", "Asia/Shanghai")
        done = run("translate", "in.json", "--to", format_, *codes, "--lenient")
        if not done.out:
            # What a format requires and this sample does not say is told, and nothing else keeps it from being written.
            why = ("translate.required", "translate.refused", "translate.only")
            assert any(f"({code})" in done.err for code in why), done.err
            continue
        good += 1
        (tmp_path / "out").write_bytes(done.out.encode())
        judged = run("validate", "out", "--json", "--lenient", "--format", format_)
        assert judged.lines[0]["format"] == format_
        told = [f for f in judged.lines[0]["findings"] if f["severity"] == "error"]
        assert told == []
        assert judged.lines[-1]["errors"] == len([f for f in judged.lines[0]["refusals"] if f["severity"] == "error"])
    assert good, "no sample of the document is written in this format"


def test_as_much_of_a_format_as_is_clear_is_enough(run, tmp_path):
    """`--to x12` writes a manifest as the one X12 set that it has, under control numbers of nine digits."""
    case = data.samples() / "manifest/feeder/in.x12"
    done = run("translate", case, "--to", "x12", "--lenient")
    assert done.code == 0, done.err
    isa = done.out.split("*")
    assert isa[0] == "ISA"
    assert isa[13] == "000000001"
    assert done.out.split("GS*")[1].split("*")[5] == "000000001"


def test_a_response_is_written_as_an_application_advice(run):
    """`--to x12` writes a response as 824, and `--to edifact:APERAK` as APERAK, which no mapping writes."""
    case = data.samples() / "response/full/in.xml"
    done = run("translate", case, "--to", "x12", "--lenient")
    assert done.code == 0, done.err
    assert "~ST*824*0001~" in done.out
    done = run("translate", case, "--to", "edifact:APERAK", "--lenient")
    assert done.code == 0, done.err
    assert "+APERAK:D:96B:UN'" in done.out
