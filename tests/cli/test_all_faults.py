"""Whatever is wrong with a message is told at once, and wrong character sets and namespaces by their right ones."""

from __future__ import annotations

import json

import pytest

from gateway import data

CASE = data.samples() / "declaration/import_sea_container"


def told(done):
    """(code, path, value) of the errors of the one message."""
    return [
        (f["code"], f["place"].get("path", ""), f["value"])
        for f in done.lines[0]["findings"]
        if f["severity"] == "error"
    ]


def document(**changes):
    """The sample's document as JSON text, with other values."""
    return json.dumps({**json.loads((CASE / "document.json").read_text("utf-8")), **changes}, ensure_ascii=False)


def test_types_rules_duplicates_and_numbers_are_told_together(run, tmp_path):
    """Of a JSON message, a name that stands twice, a number that is none, a wrong type and a broken rule are all told."""
    stored = json.loads(document())
    stored["goods"][0]["ciq_code"] = "9999999999101"  # which begins with another HS code
    text = json.dumps(stored | {"declared_at": "soon", "total_value_usd": "@@"}, ensure_ascii=False)
    text = text.replace('"@@"', "1e999").replace('"declared_at":', '"contract_number": "A", "declared_at":', 1)
    (tmp_path / "bad.json").write_text(f'{{"format": "json:declaration:1", "document": {text}}}', "utf-8")
    done = run("validate", "bad.json", "--json")
    found = {(code, path.rpartition("/")[2]) for code, path, _ in told(done)}
    assert found >= {
        ("json.duplicate", "contract_number"),
        ("json.number", "total_value_usd"),
        ("document.moment", "declared_at"),
    }
    rules = {f["code"] for f in done.lines[0]["findings"]}
    assert "rules.goods.codes_differ" in rules


def test_what_is_wrong_is_not_missing_too(run, tmp_path):
    """A mandatory item whose value is wrong is told as that, and not as missing by the rules as well."""
    (tmp_path / "bad.json").write_text(
        f'{{"format": "json:declaration:1", "document": {document(trade_country=5)}}}', "utf-8"
    )
    found = told(run("validate", "bad.json", "--json"))
    assert [code for code, path, _ in found if path.endswith("trade_country")] == ["document.type.text"]
    assert not any(code == "rules.mandatory" for code, _, _ in found), found


CHINESE = "<?xml version='1.0' encoding='{}'?>\n<Transfer>\n<Name>检验检疫样品货物</Name></Transfer>"


@pytest.mark.parametrize(
    ("name", "body", "code", "likely"),
    [
        # what the file is, its bytes, the fault, what they look like
        ("GB18030 called UTF-8", CHINESE.format("UTF-8").encode("gb18030"), "xml.charset.wrong", "GB18030"),
        ("JSON in GB18030", '{"name": "检验检疫样品货物"}'.encode("gb18030"), "json.charset", "GB18030"),
        ("UTF-8 called UNOC", "UNB+UNOC:3+A+B+260101:0900+1'UNH+1+CUSDEC:D:96B:UN'BGM+:::检验检疫货物'UNT+3+1'UNZ+1+1'".encode(), "edifact.character.outside", "UTF-8"),
        ("GB18030 called UNOW", "UNB+UNOW:4+A+B+20260101:0900+1'UNH+1+CUSDEC:D:96B:UN'BGM+:::检验检疫货物'UNT+3+1'UNZ+1+1'".encode("gb18030"), "edifact.charset.undecodable", "GB18030"),
        ("Latin-1 called UTF-8", "<?xml version='1.0'?><a>é</a>".encode("latin-1"), "xml.charset.wrong", ""),
    ],
    ids=lambda one: one if isinstance(one, str) and " " in one else "",
)  # fmt: skip
def test_a_wrong_character_set_is_told_with_the_one_it_looks_like(run, tmp_path, name, body, code, likely):
    """Whoever names another character set than is used is told which one the bytes look like, where that can be told."""
    (tmp_path / "bad").write_bytes(body)
    lines = run("validate", "bad", "--json").lines
    texts = [f["text"] for line in lines for f in line.get("findings", []) if f["code"] == code]
    assert texts, name
    assert any(f"The bytes look like {likely}." in text for text in texts) == bool(likely)
    chinese = run("validate", "bad", "--json", "--lang", "zh").lines
    texts = [f["text"] for line in chinese for f in line.get("findings", []) if f["code"] == code]
    assert any(f"字节内容疑为 {likely} 编码" in text for text in texts) == bool(likely)


def test_xml_faults_have_lines_and_name_the_namespace(run, tmp_path):
    """A message in another namespace than its schema's is told which one is right, at the line of its root."""
    text = (data.samples() / "response/full/in.xml").read_text("utf-8")
    assert 'xmlns="urn:edi-gateway:response"' in text
    (tmp_path / "bad.xml").write_text(text.replace("urn:edi-gateway:response", "urn:edi-gateway:reply"), "utf-8")
    (found,) = (f for f in run("validate", "bad.xml", "--json").lines[0]["findings"] if f["code"] == "xml.namespace")
    assert "urn:edi-gateway:reply" in found["text"]
    assert "urn:edi-gateway:response" in found["text"]
    assert found["place"]["line"] == 2
