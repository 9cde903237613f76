"""The registry on the command line: shown, filtered, exported, changed; ids by how they begin; in both languages."""

from __future__ import annotations

import io
import json

import pytest

FILE = "\n".join(
    json.dumps(one)
    for one in (
        {
            "id": "acme",
            "name": "Acme",
            "roles": ["enterprise"],
            "credit_grade": "A",
            "agreements": [{"direction": "in", "version": "2", "valid_until": "2031-01-01T00:00:00Z"}],
            "keys": [{"id": "acme-erp", "hash": "a" * 64}],
            "persons": [{"id": "wang", "name": "Wang", "roles": [{"name": "reviewer"}]}],
        },
        {"id": "beta", "name": "Beta", "roles": ["port"]},
    )
)


@pytest.fixture
def filled(run, tmp_path):
    """A registry with two partners."""
    (tmp_path / "p.jsonl").write_text(FILE, "utf-8")
    assert run("partner", "import", "p.jsonl").code == 0


def test_a_partner_is_shown_whole(run, filled):
    """By how its id begins, with agreements, credentials and persons, and without the hash of a key."""
    shown = run("partner", "show", "ac")
    for told in ("acme", "acme-in-any", "acme-erp", "wang", "2031-01-01"):
        assert told in shown.out
    as_json = run("partner", "show", "acme", "--json")
    assert as_json.json["agreements"][0]["version"] == "2"
    assert [one["id"] for one in as_json.json["credentials"]] == ["acme-erp"]
    assert "a" * 64 not in shown.out + as_json.out
    missing = run("partner", "show", "none")
    assert (missing.code, "no partner none" in missing.err) == (1, True)


def test_partners_are_listed_by_what_they_are(run, filled):
    """By role, by grade, and those that may do nothing."""
    assert run("partner", "disable", "b").code == 0

    def listed(*how: str) -> list[str]:
        return [one["id"] for one in run("partner", "list", *how, "--json").lines]

    assert (listed("--role", "port"), listed("--grade", "A"), listed("--inactive")) == (["beta"], ["acme"], ["beta"])
    assert run("partner", "enable", "beta", "--json").json == {"id": "beta", "active": True}
    assert listed("--inactive") == []


@pytest.mark.parametrize("name", ["out.json", "out.jsonl", "out.csv"])
def test_an_export_is_an_import(run, filled, tmp_path, name):
    """Another gateway holds the same afterwards, keys included, and importing it here audits nothing."""
    assert run("partner", "export", name, "--credentials").code == 0
    audited = run("audit", "list", "--json").lines
    assert run("partner", "import", name).code == 0
    assert run("audit", "list", "--json").lines == audited
    (tmp_path / "other").mkdir()
    (tmp_path / "other.toml").write_text("[store]\nurl = 'sqlite:///other/gateway.db'\nfree_bytes = 0\n", "utf-8")
    assert run("partner", "import", name, "--config", "other.toml").code == 0
    written = run("partner", "export", "--credentials").out
    assert written
    assert run("partner", "export", "--credentials", "--config", "other.toml").out == written
    assert "a" * 64 not in run("partner", "export").out


def test_a_file_comes_on_standard_input(run, monkeypatch):
    """Its form is said, and all that is wrong with it is told, a line each."""
    text = b"id,name,roles\nx,X,king\ny,,port\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    done = run("partner", "import", "-", "--form", "csv", "--json")
    assert (done.code, [(one["partner"], one["field"]) for one in done.lines]) == (2, [("x", "roles.0"), ("y", "name")])
    assert "2" in done.err


def test_a_partner_or_an_agreement_is_removed(run, filled):
    """An agreement of that partner alone; whoever is not there is told."""
    assert run("partner", "remove", "beta", "--agreement", "acme-in").code == 1
    assert run("partner", "remove", "acme", "--agreement", "acme-in").code == 0
    assert run("partner", "show", "acme", "--json").json["agreements"] == []
    assert run("partner", "remove", "beta").code == 0
    assert [one["id"] for one in run("partner", "list", "--json").lines] == ["acme"]
    assert run("partner", "remove", "beta").code == 1


def test_grades_alone_are_imported(run, filled, tmp_path):
    """`--update` leaves what a table does not name."""
    (tmp_path / "grades.csv").write_text("id,credit_grade\nacme,AA\n", "utf-8")
    assert run("partner", "import", "grades.csv").code == 2  # a whole partner has a name
    assert run("partner", "import", "grades.csv", "--update").code == 0
    shown = run("partner", "show", "acme", "--json").json
    assert (shown["credit_grade"], shown["name"]) == ("AA", "Acme")


@pytest.mark.parametrize("variable", ["LC_ALL", "LANG"])
def test_the_environment_says_the_language(run, filled, monkeypatch, variable):
    """Where `--lang` does not."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "zh_CN.UTF-8")
    assert "已停用" in run("partner", "disable", "beta").err
    assert "may do again" in run("partner", "enable", "beta", "--lang", "en").err
