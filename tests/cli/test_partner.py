from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.discovery import find_transports
from gateway.errors import ConfigurationInvalid
from gateway.model import Agreement, Credential, HeldRole, Partner, Person
from gateway.registry import partner_file
from gateway.registry.credential_entry import CredentialEntry, KeyEntry
from gateway.registry.keys import hash_key
from gateway.registry.partner_file import AgreementEntry, IdentifierEntry, Known, PartnerEntry, read
from gateway.registry.person_entry import HeldRoleEntry, PersonEntry

KEY = "gwk_" + "0123456789" * 4
FILE = f"""
[[partners]]
id = "acme"
name = "Acme Exporting"
roles = ["enterprise"]
language = "zh"
identifiers = [{{ scheme = "unb", value = "ACME" }}]
acts_for = ["other"]
direct_through = 2026-01-01
supervision_classes = {{ 2008 = "III" }}

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
    assert (done.code, done.json) == (
        0,
        {"partners": 1, "agreements": 2, "credentials": 1, "persons": 0, "imported": True},
    )
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
    """--dry-run says that a file is good and imports nothing, not even a store."""
    (tmp_path / "p.toml").write_text(FILE, "utf-8")
    done = run("partner", "import", "p.toml", "--dry-run")
    assert (done.code, done.err) == (
        0,
        "1 partner, 2 agreements, 1 credential, 0 persons: all good; nothing was imported.\n",
    )
    as_json = run("partner", "import", "p.toml", "--dry-run", "--json")
    assert as_json.json == {"partners": 1, "agreements": 2, "credentials": 1, "persons": 0, "imported": False}
    assert not (tmp_path / "var").exists()


def agreement(text: str) -> str:
    """A line with one partner that has one agreement."""
    return f'{{"id": "x", "name": "X", "agreements": [{{{text}}}]}}'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (agreement('"direction": "in", "transport": "ftp"'), "transport"),
        (agreement('"direction": "in", "format": "nonsense:1"'), "there is no format nonsense:1"),
        (agreement('"direction": "in", "format": "x12:309"'), "near it: x12:309:004010"),
        (agreement('"direction": "in", "document": "declartion"'), "near it: declaration"),
        (agreement('"direction": "in", "document": "release", "format": "x12:309:004010"'), "no release can be"),
        (
            agreement('"direction": "out", "document": "acknowledgement", "format": "json:response:1"'),
            "no acknowledgement",
        ),
        (agreement('"direction": "out", "format": "json:response:1"'), "names its url"),
        (agreement('"direction": "out", "format": "json:response:1", "options": {"url": "ftp://x/"}'), "http or https"),
        (agreement('"direction": "out", "format": "json:response:1", "options": {"url": "http://u:p@x/"}'), "password"),
        (
            agreement('"direction": "out", "format": "json:response:1", "options": {"url": "http://x:port/"}'),
            "http or https",
        ),
        (
            agreement(
                '"direction": "out", "format": "json:response:1", "options": {"url": "http://x/", "tokenfile": "t"}'
            ),
            "tokenfile",
        ),
        (agreement('"direction": "out", "format": "json:response:1", "transport": "folder"'), "names its folder"),
        (
            agreement(
                '"direction": "out", "format": "json:response:1", '
                '"options": {"url": "http://x/", "token": "t", "token_file": "f"}'
            ),
            "either token or token_file",
        ),
        (agreement('"direction": "in", "charset": "utf-99"'), "no character set utf-99"),
        (agreement('"direction": "in", "charset": "base64"'), "no character set base64"),
        (agreement('"direction": "in", "charset": "utf-16"'), "does not hold ASCII"),
        (agreement('"direction": "in", "attempt_timeout": 1e9'), "attempt_timeout"),
        (agreement('"direction": "in", "attempts": 1000000'), "attempts"),
        (agreement('"direction": "in", "duplicate_window_days": 99999999999'), "duplicate_window_days"),
        (agreement('"direction": "in", "time_zone": "Nowhere"'), "no time zone Nowhere"),
        (agreement('"direction": "in", "envelope": "SOAP"'), "envelope"),
        (agreement('"direction": "in"}, {"direction": "in"'), "agreement of x x-in-any is there twice"),
        (agreement('"direction": "in", "mapping": "declaration/nobody"'), "no variation declaration/nobody"),
        ('{"id": "x", "name": "X", "credit_grade": "Z"}', "credit_grade"),
        # A class of e-supervision is no grade, and is about a group of goods.
        ('{"id": "x", "name": "X", "credit_grade": "III"}', "credit_grade"),
        ('{"id": "x", "name": "X", "supervision_classes": {"2008": "IV"}}', "supervision_classes"),
        ('{"id": "x", "name": "X", "supervision_classes": {"nuts": "II"}}', "supervision_classes"),
        ('{"id": "x", "name": "X", "direct_through": "always"}', "direct_through"),
        ('{"id": "good", "name": "Again"}', "partner good is there twice"),
        (f'{{"id": "x", "name": "X", "keys": [{{"key": "{KEY}"}}]}}', "first with partner good"),
    ],
)
@pytest.mark.parametrize("how", [(), ("--dry-run",)])
def test_nonsense_is_refused(run, tmp_path, line, told, how):
    """What no gateway could do anything with is told with its line, by a dry run as well."""
    good = f'{{"id": "good", "name": "Good", "keys": [{{"key": "{KEY}"}}]}}'
    (tmp_path / "p.jsonl").write_text(f"{good}\n{line}\n", "utf-8")
    done = run("partner", "import", "p.jsonl", *how)
    assert done.code == 2
    assert told in done.err
    assert "line 2" in done.err
    assert KEY not in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "text",
    [
        '"direction": "in", "document": "declaration", "format": "*", "charset": "gb18030"',
        '"direction": "out", "document": "response", "format": "edifact:APERAK:D:96B:UN", "options": {"url": "https://x/in"}',
        '"direction": "out", "document": "response", "format": "x12:824:004010", "options": {"url": "https://x/in"}',
        '"direction": "out", "document": "acknowledgement", "format": "x12:999", "options": {"url": "https://x/in"}',
        '"direction": "out", "format": "xml:Response:1", "charset": "utf-16", "options": {"url": "https://x/in"}',
        '"direction": "out", "format": "json:response:1", "transport": "folder", "options": {"folder": "out"}',
    ],
)
def test_what_can_be_agreed_is_taken(run, tmp_path, text):
    """Formats of acknowledgements and of answers, a charset in its place, and any document are good."""
    (tmp_path / "p.jsonl").write_text(agreement(text), "utf-8")
    done = run("partner", "import", "p.jsonl", "--dry-run")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('"document": "clearance", "format": "edifact:CUSRES:D:96B:UN", "mapping": "clearance/acme"', ""),
        ('"document": "clearance", "format": "edifact:CUSRES:D:96B:UN", "mapping": "clearance/acne"', "clearance/acme"),
        ('"format": "edifact:CUSRES:D:96B:UN", "mapping": "clearance/acme"', "must name both"),
        ('"document": "clearance", "mapping": "clearance/acme"', "must name both"),
        (
            '"document": "response", "format": "edifact:CUSRES:D:96B:UN", "mapping": "clearance/acme"',
            "is for clearance",
        ),
        # The table itself is no variation; without `mapping` it is what an agreement means.
        (
            '"document": "clearance", "format": "edifact:CUSRES:D:96B:UN", "mapping": "clearance/edifact_cusres_d96b"',
            "no variation",
        ),
    ],
)
def test_an_agreement_chooses_a_variation_of_its_own_mapping(run, tmp_path, monkeypatch, text, told):
    """`mapping` names a variation, and the agreement the document and the format that this is for."""
    (tmp_path / "own/mappings/clearance").mkdir(parents=True)
    (tmp_path / "own/mappings/clearance/acme.toml").write_text('extends = "clearance/edifact_cusres_d96b"')
    monkeypatch.setenv("GATEWAY_CATALOGUE__FOLDER", str(tmp_path / "own"))
    (tmp_path / "p.jsonl").write_text(agreement(f'"direction": "in", {text}'), "utf-8")
    done = run("partner", "import", "p.jsonl", "--dry-run")
    assert (done.code == 0) == (not told)
    assert told in done.err


@pytest.mark.parametrize(("name", "text"), [("p.toml", ""), ("p.jsonl", ""), ("p.toml", "partners = []")])
def test_an_empty_file_is_told_as_empty(run, tmp_path, name, text):
    """A file without partners says so, instead of being good."""
    (tmp_path / name).write_text(text, "utf-8")
    done = run("partner", "import", name)
    assert done.code == 2
    assert "holds no partners" in done.err


@pytest.mark.parametrize("how", [(), ("--dry-run",)])
def test_a_key_does_not_move(run, tmp_path, how):
    """A file that gives one partner's key to another is refused, naming the owner; nothing of it is imported."""
    (tmp_path / "p.toml").write_text(FILE, "utf-8")
    assert run("partner", "import", "p.toml").code == 0
    assert run("partner", "import", "p.toml").code == 0  # the owner's own again
    (tmp_path / "q.jsonl").write_text(
        '{"id": "first", "name": "First"}\n' + f'{{"id": "thief", "name": "Thief", "keys": [{{"key": "{KEY}"}}]}}\n',
        "utf-8",
    )
    done = run("partner", "import", "q.jsonl", *how)
    assert done.code == 2
    assert "partner thief" in done.err
    assert "already acme's" in done.err
    assert KEY not in done.err
    assert [line["id"] for line in run("partner", "list", "--json").lines] == ["acme"]


def test_a_fresh_key_can_be_imported(run, tmp_path):
    """What `partner key` prints is a key a file may hold."""
    done = run("partner", "key")
    assert re.fullmatch(r"gwk_[\w-]{43}\n", done.out)
    assert hash_key(done.out.strip()) in done.err


def test_the_samples_partners_are_good():
    """The sample partner file can be imported."""
    assert list(read(data.samples() / "partners" / "demo.toml", Known(find_transports().options, shipped())))


@pytest.mark.parametrize(
    ("entry", "noun", "apart"),
    [
        (PartnerEntry, Partner, {"agreements", "keys", "credentials", "persons"}),
        (AgreementEntry, Agreement, set()),
        # A key is the fields of a credential that only a key has, and the other way round.
        (KeyEntry, Credential, {"key", "kind", "use", "material", "reference"}),
        (CredentialEntry, Credential, {"hash"}),
        (PersonEntry, Person, set()),
        (HeldRoleEntry, HeldRole, set()),
    ],
)
def test_files_can_say_all_that_the_registry_holds(entry, noun, apart):
    """Each field of a partner, an agreement and a key has its name in files, with the same default."""
    fields = set(noun.__dataclass_fields__) - {"partner_id"} - apart
    assert set(entry.model_fields) - apart == fields


def test_the_documentation_names_every_field():
    """docs/cli.md says what each name in a partner file is."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text("utf-8")
    for entry in (PartnerEntry, IdentifierEntry, AgreementEntry, KeyEntry, CredentialEntry, PersonEntry, HeldRoleEntry):
        for name, field in entry.model_fields.items():
            assert f"| `{name}` |" in text
            assert field.description in text


def test_the_documentation_names_every_option():
    """docs/cli.md says what each transport lets an agreement say."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text("utf-8")
    for name, options in find_transports().options.items():
        assert options is not None
        for option, field in options.model_fields.items():
            assert re.search(rf"\| `{name}` \| `{option}` \| .* \| {re.escape(field.description or '-')} \|", text)


def test_toml_with_anything_else_is_refused(tmp_path):
    """A file that holds something beside partners is told, since it would be ignored."""
    path = tmp_path / "p.toml"
    path.write_text(f"{FILE}\n[[partner]]\n", "utf-8")
    with pytest.raises(ConfigurationInvalid, match="nothing else"):
        list(partner_file.read(path, partner_file.Known(find_transports().options, shipped())))


HQ = '[[partners]]\nid = "hq"\nname = "HQ"\nroles = ["bureau"]\nlevel = "hq"\n'
OFFICE = '[[partners]]\nid = "{id}"\nname = "x"\nroles = ["bureau"]\nregions = ["bohai"]\n{more}\n'


def office(id_: str, level: str = "", parent: str = "") -> str:
    more = [f'{name} = "{value}"' for name, value in (("level", level), ("parent", parent)) if value]
    return OFFICE.format(id=id_, more="\n".join(more))


MISPLACED = [
    (office("a", "branch"), "a branch names its bureau"),
    (office("a", "hq", "b"), "nothing is above headquarters"),
    (office("a", parent="hq"), "says its level"),
    (office("a", "branch", "nobody"), "there is no partner nobody"),
    # A branch of headquarters, a bureau of a bureau.
    (HQ + office("a", "branch", "hq"), "above a branch stands bureau"),
    (office("b", "bureau") + office("a", "bureau", "b"), "above a bureau stands hq"),
    # Circles, of one and of two.
    (office("a", "bureau", "a"), "above a bureau stands hq"),
    (office("a", "branch", "b") + office("b", "branch", "a"), "above a branch stands bureau"),
    (office("a").replace('["bureau"]', '["enterprise"]'), "inspection office"),
]


@pytest.mark.parametrize(("file", "why"), MISPLACED)
def test_an_office_stands_below_one_of_the_level_above(run, tmp_path, file, why):
    """Whatever is wrong with where an office stands is told, and nothing is imported; circles are a case of it."""
    (tmp_path / "offices.toml").write_text(file)
    result = run("partner", "import", tmp_path / "offices.toml")
    assert result.code != 0
    assert why in " ".join(result.err.split())


def test_offices_are_listed_with_where_they_stand(run, tmp_path):
    """Levels, offices above and regions come back as they were imported, and an office below keeps its level's parent."""
    good = HQ + office("qingdao", "bureau", "hq") + office("huangdao", "branch", "qingdao")
    (tmp_path / "offices.toml").write_text(good)
    assert run("partner", "import", tmp_path / "offices.toml").code == 0
    listed = run("partner", "list", "--json").lines
    assert [(one["id"], one["level"], one["parent"], one["regions"]) for one in listed] == [
        ("hq", "hq", "", []),
        ("huangdao", "branch", "qingdao", ["bohai"]),
        ("qingdao", "bureau", "hq", ["bohai"]),
    ]
    # The bureau cannot become a branch while one stands below it.
    (tmp_path / "moved.toml").write_text(HQ + office("qingdao", "branch", "hq"))
    assert run("partner", "import", tmp_path / "moved.toml").code != 0
