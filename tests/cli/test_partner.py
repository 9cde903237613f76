from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway import data
from gateway.cli import partner_file
from gateway.cli.partner_file import AgreementEntry, IdentifierEntry, KeyEntry, PartnerEntry, read
from gateway.errors import ConfigurationInvalid
from gateway.model import Agreement, ApiKey, Partner
from gateway.web.keys import hash_key

KEY = "gwk_" + "0123456789" * 4
FILE = f"""
[[partners]]
id = "acme"
name = "Acme Exporting"
roles = ["enterprise"]
language = "zh"
identifiers = [{{ scheme = "unb", value = "ACME" }}]
acts_for = ["other"]

[[partners.agreements]]
direction = "in"
document = "declaration"
strictness = "lenient"

[[partners.agreements]]
direction = "out"
format = "xml:Response:1"
options = {{ url = "https://acme.example/in" }}

[[partners.keys]]
key = "{KEY}"
scopes = ["send"]
expires_at = 2030-01-01T00:00:00+08:00
"""


def test_a_file_fills_the_registry(run, tmp_path):
    """What stands in a file is in the registry afterwards, and can be written out as it was read."""
    (tmp_path / "p.toml").write_text(FILE, "utf-8")
    done = run("partner", "import", "p.toml", "--json")
    assert (done.code, done.json) == (0, {"partners": 1, "agreements": 2, "keys": 1})
    (listed,) = run("partner", "list", "--json").lines
    assert (listed["id"], listed["acts_for"], listed["language"]) == ("acme", ["other"], "zh")
    assert {a["id"] for a in listed["agreements"]} == {"acme-in-declaration", "acme-out-any"}
    (tmp_path / "again.jsonl").write_text(json.dumps(listed), "utf-8")
    assert run("partner", "import", "again.jsonl").code == 0
    assert run("partner", "list", "--json").lines == [listed]


def test_only_the_hash_of_a_key_is_kept(run, tmp_path):
    """A key given as text is in the database as its hash."""
    (tmp_path / "p.toml").write_text(FILE, "utf-8")
    assert run("partner", "import", "p.toml").code == 0
    content = b"".join(path.read_bytes() for path in (tmp_path / "var").rglob("*") if path.is_file())
    assert hash_key(KEY).encode() in content
    assert KEY.encode() not in content


def test_bulk_is_read_line_by_line(run, tmp_path):
    """JSON Lines hold one partner a line; more than one transaction's worth arrives whole."""
    with (tmp_path / "many.jsonl").open("w", encoding="utf-8") as file:
        for number in range(2500):
            file.write(json.dumps({"id": f"e{number:05}", "name": f"E {number}"}) + "\n")
    assert run("partner", "import", "many.jsonl", "--json").json["partners"] == 2500
    assert len(run("partner", "list", "--limit", "3000", "--json").lines) == 2500
    assert [p["id"] for p in run("partner", "list", "--after", "e02497", "--json").lines] == ["e02498", "e02499"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2"),  # no JSON
        ('{"id": "x"}', "name"),  # something required is missing
        ('{"id": "x y", "name": "X"}', "id"),  # an id with a blank
        ('{"id": "x", "name": "X", "rolls": []}', "rolls"),  # a misspelt name
        ('{"id": "x", "name": "X", "roles": ["king"]}', "roles"),
        ('{"id": "x", "name": "X", "agreements": [{"direction": "out"}]}', "names its format"),
        ('{"id": "x", "name": "X", "agreements": [{"direction": "in", "code_tables": "ours"}]}', "code_tables"),
        ('{"id": "x", "name": "X", "keys": [{}]}', "either key or hash"),
        ('{"id": "x", "name": "X", "keys": [{"key": "sh0rt"}]}', "32 characters"),
        (f'{{"id": "x", "name": "X", "keys": [{{"key": "{KEY}", "scopes": ["all"]}}]}}', "no such scope"),
        (f'{{"id": "x", "name": "X", "keys": [{{"key": "{KEY}", "expires_at": "2030-01-01T00:00:00"}}]}}', "offset"),
    ],
)
def test_a_faulty_file_changes_nothing(run, tmp_path, line, told):
    """A fault is told with its line and name, no key is repeated, and nothing of the file is imported."""
    (tmp_path / "p.jsonl").write_text(f'{{"id": "good", "name": "Good"}}\n{line}\n', "utf-8")
    done = run("partner", "import", "p.jsonl")
    assert done.code == 2
    assert told in done.err
    assert "line 2" in done.err
    assert KEY not in done.err
    assert "sh0rt" not in done.err
    assert run("partner", "list", "--json").out == ""


def test_a_dry_run_only_checks(run, tmp_path):
    """--dry-run says that a file is good and imports nothing."""
    (tmp_path / "p.toml").write_text(FILE, "utf-8")
    assert run("partner", "import", "p.toml", "--dry-run").code == 0
    assert run("partner", "list", "--json").out == ""


def test_a_fresh_key_can_be_imported(run, tmp_path):
    """What `partner key` prints is a key a file may hold."""
    done = run("partner", "key")
    assert re.fullmatch(r"gwk_[\w-]{43}\n", done.out)
    assert hash_key(done.out.strip()) in done.err


def test_the_samples_partners_are_good():
    """The sample partner file can be imported."""
    assert list(read(data.samples() / "partners" / "demo.toml"))


@pytest.mark.parametrize(
    ("entry", "noun", "apart"),
    [
        (PartnerEntry, Partner, {"agreements", "keys"}),
        (AgreementEntry, Agreement, set()),
        (KeyEntry, ApiKey, {"key"}),
    ],
)
def test_files_can_say_all_that_the_registry_holds(entry, noun, apart):
    """Each field of a partner, an agreement and a key has its name in files, with the same default."""
    fields = set(noun.__dataclass_fields__) - {"partner_id"}
    assert set(entry.model_fields) - apart == fields


def test_the_documentation_names_every_field():
    """docs/cli.md says what each name in a partner file is."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text("utf-8")
    for entry in (PartnerEntry, IdentifierEntry, AgreementEntry, KeyEntry):
        for name, field in entry.model_fields.items():
            assert f"| `{name}` |" in text
            assert field.description in text


def test_toml_with_anything_else_is_refused(tmp_path):
    """A file that holds something beside partners is told, since it would be ignored."""
    path = tmp_path / "p.toml"
    path.write_text(f"{FILE}\n[[partner]]\n", "utf-8")
    with pytest.raises(ConfigurationInvalid, match="nothing else"):
        list(partner_file.read(path))
