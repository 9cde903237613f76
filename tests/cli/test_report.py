"""What `validate` shows people: the message with its faults at their places, explained, and as one page."""

from __future__ import annotations

import io
import itertools
import json
import re
import sys
from typing import Any

import pytest
from lxml import html

from gateway import data, explanations, findings
from gateway.catalogue_folders import shipped
from tests.check.test_unece import archive
from tests.cli.test_signs import still

IMPORT = data.samples() / "declaration/import_sea_container/in.edi"
REJECTED = data.samples() / "declaration/rejected_edifact/in.edi"


def shown(output: str) -> list[tuple[str, str]]:
    """Each line of a message that is shown with faults, and what stands over the signs below it."""
    lines = output.splitlines()
    found = []
    for line, below in itertools.pairwise(lines):
        if set(below) == {" ", "│", "^"}:
            segment = re.sub(r"^ +│ +\d+  ", "", line).strip()
            found += [(segment, line[mark.start() : mark.end()]) for mark in re.finditer(r"\^+", below)]
    return found


@pytest.mark.parametrize(
    ("old", "new", "marked"),
    [
        ("LOC+35+CL'", "LOC+35+XQ'", "XQ"),
        ("BGM+855+SD-2026-0001+9'", "BGM+855+SD-2026-0001+99'", "99"),
        ("LOC+35+CL'", "LOC+35+C?+L'", "C?+L"),  # a released separator parts nothing
        ("DTM+137:20260305093000:204'", "DTM+137:20260230093000:204'", "20260230093000"),
        ("UNT+", "XYZ+1'UNT+", "XYZ"),
    ],
)
def test_a_fault_is_marked_where_it_stands(run, tmp_path, old, new, marked):
    """Under the segment as it was written, signs stand below the element that is wrong, and below it alone."""
    text = IMPORT.read_text("utf-8")
    assert old in text
    (tmp_path / "bad.edi").write_text(text.replace(old, new, 1), "utf-8")
    done = run("validate", "bad.edi")
    assert marked in [mark for _, mark in shown(done.out)], done.out


def test_what_is_missing_is_marked_where_it_would_stand(run, tmp_path):
    """An element that is missing has a sign of its own in its place."""
    (tmp_path / "bad.edi").write_text(IMPORT.read_text("utf-8").replace("DTM+136:20260128:102'", "DTM'"), "utf-8")
    done = run("validate", "bad.edi")
    assert ("DTM▯", "▯") in shown(done.out), done.out


def test_only_what_is_near_a_fault_is_shown_unless_the_whole_is_asked_for(run, tmp_path):
    """A segment before and after each fault is shown, signs for what is left out; --whole shows every segment."""
    text = IMPORT.read_text("utf-8")
    (tmp_path / "bad.edi").write_text(text.replace("LOC+35+CL'", "LOC+35+XQ'"), "utf-8")
    brief, whole = run("validate", "bad.edi").out, run("validate", "bad.edi", "--whole").out
    assert "LOC+40+CL" in brief
    assert "LOC+9+152001" in brief
    assert "RFF+CT" not in brief
    assert "│   …" in brief
    assert "RFF+CT" in whole


@pytest.mark.parametrize("name", ["declaration/rejected_xml", "customs_entry/rejected_xml", "release/rejected_json"])
def test_xml_and_json_are_shown_line_by_line(run, name):
    """Of XML and JSON the lines with faults are shown, each value that is wrong marked in its line."""
    (path,) = (data.samples() / name).glob("in.*")
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    done = run("validate", path)
    marks = shown(done.out)
    assert marks, done.out
    assert all(line in lines and mark in line for line, mark in marks)


def test_the_clerk_is_told_what_would_be_right(run, tmp_path):
    """A name in the place of a code is answered with the field, its segment, the value, and the code that is meant."""
    text = IMPORT.read_text("utf-8")
    (tmp_path / "bad.edi").write_text(text.replace("LOC+35+CL'", "LOC+35+CHILE'"), "utf-8")
    chinese = run("validate", "bad.edi", "--lang", "zh").out
    assert "启运国家（LOC 段）：代码“CHILE”" in chinese
    assert "应为“CL”" in chinese
    english = run("validate", "bad.edi").out
    assert "departure country (LOC segment): " in english
    assert "It should be “CL”." in english


def test_nothing_of_a_message_acts_on_the_reader(run, tmp_path):
    """Control characters in a message are signs on the terminal, in JSON and on the page; markup is text."""
    hostile = "a\x1b[2J\x9b\u202e\u200b<script>alert(1)</script>&"
    text = IMPORT.read_text("utf-8").replace("LOC+35+CL'", f"LOC+35+{hostile}'")
    (tmp_path / "bad.edi").write_text(text, "utf-8")
    for options in ((), ("--json",), ("--html",), ("--whole", "--explain", "--lang", "zh")):
        done = run("validate", "bad.edi", *options)
        assert done.code == 1
        assert still(done.out), options
    page = run("validate", "bad.edi", "--html").out
    assert "<script" not in page
    assert "\\u001b" in page


def test_the_page_stands_by_itself_in_both_languages(run):
    """One page that loads nothing, says everything in English and Chinese, and marks the faults in the message."""
    done = run("validate", REJECTED, IMPORT, "--html")
    assert done.code == 1
    page: Any = html.fromstring(done.out)
    assert not page.xpath("//script | //link | //img | //iframe | //@src | //@href | //object")
    english, chinese = (page.xpath(f"//span[@lang='{lang}']") for lang in ("en", "zh"))
    assert len(english) == len(chinese) > 0
    assert all(re.search("[\u4e00-\u9fff]", one.text_content()) for one in chinese)
    told = run("validate", REJECTED, IMPORT, "--json").lines
    count = sum(len(line.get("findings", [])) + len(line.get("refusals", [])) for line in told)
    assert len(page.xpath("//li")) == count
    assert {mark.get("class") for mark in page.xpath("//mark")} >= {"error"}
    assert len(page.xpath("//section")) == 2


def test_explaining_gives_cause_and_remedy(run):
    """--explain says of each kind of fault, once, what brings it about and what to do, in the language asked for."""
    done = run("validate", REJECTED, "--explain")
    codes = set(re.findall(r"\(([a-z0-9_.]+)\)$", done.out, re.MULTILINE))
    assert done.out.count("cause: ") == done.out.count("remedy: ") == len(codes)
    chinese = run("validate", REJECTED, "--explain", "--lang", "zh").out
    assert chinese.count("原因：") == len(codes)
    told = [f for line in run("validate", REJECTED, "--json", "--explain").lines for f in line.get("findings", [])]
    assert told
    assert all(f["cause"] and f["remedy"] for f in told)
    plain = [f for line in run("validate", REJECTED, "--json").lines for f in line.get("findings", [])]
    assert all("cause" not in f for f in plain)


FOUND_IN_MESSAGES = (
    "edi",
    "edifact",
    "x12",
    "xml",
    "json",
    "document",
    "translate",
    "rules",
    "payload",
    "mapping",
    "schema",
)


def test_every_fault_of_a_message_is_explained():
    """Each code that is found in a message has a cause and a remedy in both languages, and each text is of some code."""
    known = findings.catalogue()
    for code in known:
        if code.partition(".")[0] in FOUND_IN_MESSAGES:
            for language in ("en", "zh"):
                explained = explanations.explain(code, language)
                assert explained is not None, code
                assert re.search("[\u4e00-\u9fff]", explained.cause + explained.remedy) is None or language == "zh", (
                    code
                )
    for key in explanations.read(shipped()):
        assert any(code == key or (key.endswith("*") and code.startswith(key[:-1])) for code in known), key


def test_standard_input_is_a_file(run, monkeypatch):
    """`-` checks what comes on stdin."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(IMPORT.read_bytes())))
    done = run("validate", "-", "--json")
    assert done.lines[-1] | {"file": "-", "messages": 1, "errors": 0} == done.lines[-1]


def test_a_folder_is_all_files_in_it(run, tmp_path):
    """Of a folder every file is checked, those below it too and hidden ones not, in order; an empty one is told."""
    (tmp_path / "in/below").mkdir(parents=True)
    for name in ("b.edi", "a.edi", "below/c.edi", ".hidden"):
        (tmp_path / "in" / name).write_bytes(IMPORT.read_bytes())
    done = run("validate", "in", "--json")
    assert done.code == 0
    assert [line["file"] for line in done.lines if line["kind"] == "file"] == ["in/a.edi", "in/b.edi", "in/below/c.edi"]
    (tmp_path / "empty").mkdir()
    assert run("validate", "empty").code == 2


def test_two_kinds_of_report_are_one_too_many(run):
    """--json and --html exclude one another."""
    assert run("validate", IMPORT, "--json", "--html").code == 2


def test_a_message_that_nothing_maps_is_well_formed(run, tmp_path, monkeypatch):
    """A message of a type that was imported and has no mapping is right, with a note, and exit code 0."""
    (tmp_path / "d.zip").write_bytes(archive())
    monkeypatch.setenv("GATEWAY_CATALOGUE__FOLDER", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    assert run("schema", "import", "d.zip", "TESTER").code == 0
    (tmp_path / "m.edi").write_text(
        "UNB+UNOA:3+A+B+260101:0900+1'UNH+1+TESTER:D:94Z:UN'BGM+12+9'UNT+3+1'UNZ+1+1'", "utf-8"
    )
    done = run("validate", "m.edi", "--json")
    assert done.code == 0, done.out
    assert [(f["code"], f["severity"]) for f in done.lines[0]["findings"]] == [("mapping.unread", "note")]
    assert "well-formed, no mapping" in run("validate", "m.edi").out
    # What breaks its table is no better for that.
    (tmp_path / "m.edi").write_text(
        "UNB+UNOA:3+A+B+260101:0900+1'UNH+1+TESTER:D:94Z:UN'BGM+13+9'UNT+3+1'UNZ+1+1'", "utf-8"
    )
    assert run("validate", "m.edi").code == 1


_ENGLISH = re.compile(r"(?<![A-Za-z_.])[a-z]{3,}(?![A-Za-z_])")
_SAID = re.compile(
    r"“[^”]*”|[A-Za-z0-9_]*[.:_/\[\]`][^\s。，、）]*|true|false|（[^）]*）|(?:元素|属性|缺少) \w+|yyyy-MM-dd[^\s。]*"
)


@pytest.mark.parametrize(
    "path", sorted(data.samples().glob("*/*reject*/in.*")), ids=lambda path: f"{path.parent.parent.name}-{path.name}"
)
def test_no_english_is_left_in_chinese_words(run, path):
    """What a Chinese reader is told has no English in it but values, names of ours and codes."""
    for line in run("validate", path, "--json", "--lang", "zh").lines:
        for found in (*line.get("findings", []), *line.get("refusals", [])):
            assert not _ENGLISH.search(_SAID.sub("", found["text"])), found["text"]


@pytest.mark.parametrize(
    "body",
    [
        '{"a": 1,}',
        '{"a" 1}',
        "{'a': 1}",
        '{"a": "x',
        '{"a": tru}',
        "{} x",
        "<a><b></a>",
        "<a",
        "<a>&b</a>",
        "<a b=c/>",
        "<a b='1' b='2'/>",
        "<x:a/>",
        "<a/>b",
    ],
)
def test_what_a_parser_says_is_said_in_chinese(run, tmp_path, body):
    """The words of other people's parsers are said in Chinese too."""
    (tmp_path / "bad").write_text(body, "utf-8")
    done = run("validate", "bad", "--json", "--lang", "zh")
    texts = [f["text"] for line in done.lines for f in line.get("findings", [])]
    assert texts
    for text in texts:
        assert not _ENGLISH.search(re.sub(r"“[^”]*”|JSON|XML|format|json:\S*|document", "", text)), text


def test_one_fault_is_told_once(run, tmp_path):
    """A value that both schema and mapping refuse is one finding."""
    text = IMPORT.read_text("utf-8").replace("BGM+855+SD-2026-0001+9'", "BGM+855+SD-2026-0001+99'")
    (tmp_path / "bad.edi").write_text(text, "utf-8")
    told = [(json.dumps(f["place"]), f["value"]) for f in run("validate", "bad.edi", "--json").lines[0]["findings"]]
    assert len(told) == len(set(told))
