from __future__ import annotations

import gzip

import pytest

from gateway import data
from tests import foreign

FOREIGN = [path for kind in ("edifact", "x12", "xml") for path in foreign.samples(f"samples/{kind}")]
OURS = sorted(data.samples().glob("*/*/in.*"))


@foreign.needed
@pytest.mark.parametrize("path", FOREIGN, ids=lambda p: p.name)
def test_messages_of_other_software_are_read(run, path):
    """Whatever other people's software wrote is read to its end, and said what is right and wrong with."""
    done = run("validate", path, "--json")
    assert done.err == ""
    *items, totals = done.lines
    assert totals["messages"] == sum(item["kind"] == "message" for item in items) >= 1
    errors = sum(f["severity"] == "error" for item in items for f in found(item))
    assert totals["errors"] == errors
    assert done.code == (1 if errors else 0)
    assert all(f["text"] and f["code"] not in f["text"] for item in items for f in found(item))


def found(item):
    """All findings of one line of the report."""
    return [
        *item.get("findings", []),
        *item.get("refusals", []),
        *(f for group in item.get("groups", []) for f in group["findings"]),
    ]


def leniency(path):
    """A sample that stands for a document may be tolerably wrong; one that must be rejected is judged strictly."""
    return ["--lenient"] if (path.parent / "document.json").exists() else []


@pytest.mark.parametrize("path", OURS, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_our_samples_are_judged_as_they_say(run, path):
    """A sample is rejected by syntax, schema or mapping where its folder holds no document, and only there."""
    done = run("validate", path, "--json", *leniency(path))
    rejected = [line["rejected"] for line in done.lines if line["kind"] == "message"]
    assert rejected == [not (path.parent / "document.json").exists()]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_report_is_in_the_language_asked_for(run, lang):
    """Every line for people is in English or in Chinese; the message's own lines are as they are."""
    path = data.samples() / "declaration/rejected_edifact/in.edi"
    done = run("validate", path, "--lang", lang)
    assert done.code == 1
    for line in (line for line in done.out.splitlines() if "│" not in line):
        assert any("\u4e00" <= c <= "\u9fff" for c in line) == (lang == "zh"), line


SMALL = b"UNB+UNOA:3+A+B+260101:0900+1'UNH+1+CUSDEC:D:96B:UN'UNT+2+1'UNZ+1+1'"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "payload.unknown_syntax"),
        (b"hello", "payload.unknown_syntax"),
        (bytes(range(256)), "payload.unknown_syntax"),
        (gzip.compress(SMALL, mtime=0)[:30], "payload.unreadable"),
        (b"<a>", "xml."),
        (b"{", "json."),
        (b"UNB", "edifact."),
        (b"ISA*", "x12."),
        (SMALL[:40], "edifact."),
    ],
)
def test_rubbish_gets_findings(run, tmp_path, body, code):
    """What is no message gets a finding that says why, and exit code 1."""
    (tmp_path / "f").write_bytes(body)
    done = run("validate", "f", "--json")
    assert done.code == 1
    codes = [f["code"] for line in done.lines[:-1] for f in found(line)]
    assert any(c.startswith(code) for c in codes), codes


def test_compressed_files_are_unpacked(run, tmp_path):
    """A gzip file is judged by what is in it."""
    (tmp_path / "plain").write_bytes(SMALL)
    (tmp_path / "packed").write_bytes(gzip.compress(SMALL))
    plain, packed = run("validate", "plain", "--json"), run("validate", "packed", "--json")
    assert packed.lines[:-1] == plain.lines[:-1]


def test_another_format_than_expected_is_an_error(run, tmp_path):
    """With --format, a message in another one is told so."""
    (tmp_path / "f").write_bytes(SMALL)
    done = run("validate", "f", "--format", "x12:309:004010", "--json")
    assert "agreement.none" in [f["code"] for line in done.lines[:-1] for f in found(line)]


def test_several_files_are_one_verdict(run, tmp_path):
    """Each file has its totals; one bad file among them makes the exit code 1."""
    good = data.samples() / "declaration/import_sea_container/in.edi"
    (tmp_path / "bad").write_bytes(b"hello")
    done = run("validate", good, "bad", "--json")
    assert done.code == 1
    assert [line["errors"] > 0 for line in done.lines if line["kind"] == "file"] == [False, True]


def test_a_long_file_names_only_some_of_its_good_messages(run, tmp_path):
    """Of many good messages the first are named, the others counted."""
    path = data.samples() / "declaration/import_sea_container/in.edi"
    (tmp_path / "many").write_bytes(path.read_bytes() * 120)
    done = run("validate", "many")
    assert done.code == 0
    assert "120" in done.out.splitlines()[-1]
    assert sum("edifact:" in line for line in done.out.splitlines()) == 50


@pytest.mark.parametrize(("lang", "words"), [("en", "the file is empty"), ("zh", "文件是空的")])
def test_an_empty_file_is_called_empty(run, tmp_path, lang, words):
    """Of a file without a byte, the report says just that."""
    (tmp_path / "nothing").write_bytes(b"")
    assert words in run("validate", "nothing", "--lang", lang).out
    assert run("validate", "nothing", "--json").lines[-1]["empty"]


def test_of_several_files_each_is_named_before_its_findings(run, tmp_path):
    """What is said about a file stands under its name; a single file needs none."""
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"hello")
    lines = run("validate", "one", "two").out.splitlines()
    assert lines[0] == "file one"
    assert lines[lines.index("file two") - 1].startswith("one: messages")
    assert "file one" not in run("validate", "one").out


@pytest.mark.parametrize("format_", ["edifact:CUSDEC:D:96B:UN", "x12:997:004010", "xml:Response:1", "json:release:1"])
def test_any_checked_format_can_be_expected(run, tmp_path, format_):
    """--format takes each format that is checked, be it translated or not."""
    (tmp_path / "f").write_bytes(SMALL)
    assert run("validate", "f", "--format", format_).code == 1


@pytest.mark.parametrize("verb", [["validate"], ["translate", "--to", "json"], ["mapping", "explain"]], ids=" ".join)
@pytest.mark.parametrize(("option", "value"), [("--time-zone", "Asia/Nowhere"), ("--code-tables", "usa")])
def test_what_an_agreement_says_must_be_there(run, verb, option, value):
    """A time zone or code tables that there are not end each verb that reads messages, with the option named."""
    done = run(*verb, option, value, data.samples() / "declaration/import_sea_container/in.edi")
    assert done.code == 2
    assert option in done.err


@pytest.mark.parametrize(("tables", "code", "right"), [("un", "CL", True), ("ciq", "CL", False), ("ciq", "152", True)])
def test_codes_are_judged_by_the_tables_that_are_named(run, tmp_path, tables, code, right):
    """A country is right by the partner's own tables, and wrong by others."""
    message = (data.samples() / "declaration/import_sea_container/in.edi").read_text("utf-8")
    file = tmp_path / "in.edi"
    file.write_text(message.replace("LOC+35+CL", f"LOC+35+{code}"), "utf-8")
    found = [
        f for line in run("validate", file, "--json", "--code-tables", tables).lines for f in line.get("findings", [])
    ]
    departure = [
        f
        for f in found
        if f["place"].get("tag") == "LOC" and f["value"] == code and f["code"].startswith("translate.code")
    ]
    assert (departure == []) is right
