from __future__ import annotations

import json

import pytest

from gateway import data
from tests.cli.test_validate import leniency

GOOD = sorted(p for p in data.samples().glob("*/*/in.*") if (p.parent / "document.json").exists())


@pytest.mark.parametrize("path", GOOD, ids=lambda p: f"{p.parent.parent.name}-{p.parent.name}")
def test_what_was_translated_is_read_again(run, tmp_path, path):
    """Any good sample is written as JSON, and what was written is itself a good message."""
    done = run("translate", path, "--to", "json", "--time-zone", "Asia/Shanghai", *leniency(path))
    assert done.code == 0, done.err
    (tmp_path / "again.json").write_text(done.out, "utf-8")
    message, *_ = run("validate", "again.json", "--json").lines
    assert not message["rejected"], message["findings"]


def test_what_the_target_cannot_carry_is_told(run):
    """Fields that the target has no place for are named on stderr, each with its value."""
    path = data.samples() / "declaration/import_sea_container/in.edi"
    done = run("translate", path, "--to", "xml")
    assert done.code == 0
    assert done.out.startswith("<?xml")
    assert "(translate.dropped)" in done.err


def test_a_format_that_is_not_there_is_usage(run):
    """A format that the document has no table for is told with those it has."""
    path = data.samples() / "declaration/import_sea_container/in.edi"
    done = run("translate", path, "--to", "x12:999")
    assert done.code == 2
    assert "edifact:CUSDEC:D:96B:UN" in done.err


def test_a_rejected_message_is_not_translated(run):
    """A message with errors is not written in another format; its findings are told."""
    path = next(p for p in sorted((data.samples() / "declaration").glob("rejected_*/in.*")))
    done = run("translate", path, "--to", "json")
    assert (done.code, done.out) == (1, "")
    assert "error" in done.err


def test_findings_for_programs_are_lines_of_json_on_stderr(run):
    """With --json the message is on stdout as it is without, and each finding a line of JSON on stderr."""
    path = data.samples() / "declaration/import_sea_container/in.edi"
    plain, done = (run("translate", path, "--to", "xml", *how) for how in ((), ("--json",)))
    assert done.code == 0
    # Only the moment of writing may differ.
    assert done.out.splitlines()[0] == plain.out.splitlines()[0]
    told = [json.loads(line) for line in done.err.splitlines()]
    assert {"message": 1, "written_as": "xml:EEntDeclIo:1", "code": "translate.dropped"}.items() <= told[0].items()
    assert len(told) == len(plain.err.splitlines())


def test_labels_are_in_the_language_asked_for(run):
    """Every line that `translate` tells is in Chinese where that is asked for."""
    path = data.samples() / "declaration/rejected_edifact/in.edi"
    done = run("translate", path, "--to", "json", "--lang", "zh")
    assert done.code == 1
    assert all(line.startswith("报文 1") for line in done.err.splitlines())
    assert done.err.splitlines()[-1] == "报文 1：未转换"


@pytest.mark.parametrize(
    "value",
    [
        "1e999999999",
        "1e9999999999999999999",
        "NaN",
        "9" * 5000,
        '"0E-9999999"',
        '"\\u0000"',
        '{"goods[' + "9" * 5000 + ']": 1}',
    ],
    ids=lambda value: value[:20],
)
def test_no_value_is_a_traceback(run, tmp_path, value):
    """`validate` and `translate` say of any value what is wrong with it, in both languages."""
    sample = json.loads((data.samples() / "transfer/outbound/in.json").read_text("utf-8"))
    sample["goods"][0]["weight"]["value"] = "@@"
    (tmp_path / "odd.json").write_text(json.dumps(sample).replace('"@@"', value), "utf-8")
    for verb in (("validate",), ("validate", "--lang", "zh"), ("translate", "--to", "xml")):
        done = run(verb[0], "odd.json", *verb[1:])
        said = done.out + done.err
        assert "Traceback" not in said
        assert "gateway.fault" not in said
        assert len(said) < 20_000
        assert done.code == (0 if value == '"0E-9999999"' else 1), said
