"""Persons on the command line, and in partner files."""

from __future__ import annotations

import pytest

FILE = """
[[partners]]
id = "bureau"
name = "Bureau"
roles = ["bureau"]

[[partners.persons]]
id = "wang"
name = "Wang Fang"
language = "zh-CN"
roles = [{ name = "reviewer", office = "370100", valid_until = 2020-01-01T00:00:00+08:00 }, { name = "signatory" }]
"""


@pytest.fixture
def bureau(run, tmp_path):
    """A bureau in the registry, with one person."""
    (tmp_path / "p.toml").write_text(FILE, "utf-8")
    assert run("partner", "import", "p.toml", "--json").json["persons"] == 1


def test_a_person_comes_with_its_partner(run, bureau):
    """Roles keep their office and their time; what is over is not held."""
    (person,) = run("person", "list", "bureau", "--json").lines
    assert (person["id"], person["language"], person["active"]) == ("wang", "zh", True)
    assert [(r["name"], r["office"], r["held"], r["acts"]) for r in person["roles"]] == [
        ("reviewer", "370100", False, ["accept", "review"]),
        ("signatory", "", True, ["sign"]),
    ]
    assert "Wang Fang" in run("person", "list", "bureau").out


def test_roles_are_given_and_taken(run, bureau):
    """A role of another office stands beside; the same one is replaced; what is taken is gone everywhere."""
    run("person", "roles", "wang", "--give", "reviewer", "--office", "370200", "--until", "2099-01-01")
    person = run("person", "roles", "wang", "--give", "reviewer", "--office", "370100", "--json").lines[0]
    assert [(r["name"], r["office"], r["held"]) for r in person["roles"]] == [
        ("signatory", "", True),
        ("reviewer", "370200", True),
        ("reviewer", "370100", True),
    ]
    person = run("person", "roles", "wang", "--take", "reviewer", "--json").lines[0]
    assert [r["name"] for r in person["roles"]] == ["signatory"]


def test_the_roles_there_are_can_be_listed(run):
    """Each with the acts it bundles, in both languages."""
    told = {line["name"]: line for line in run("person", "roles", "--json").lines}
    assert (told["inspector"]["zh"], told["inspector"]["acts"]) == ("施检员", ["draft", "inspect", "release"])
    assert told["auditor"]["alone"] is True


def test_a_person_is_added_with_a_key(run, bureau):
    """A key of a person says so, and only one of the partner's persons has one."""
    assert run("person", "add", "bureau", "li", "--name", "Li Na", "--role", "maker").code == 0
    made = run("credential", "add", "bureau", "--person", "li", "--json").json
    assert made["person_id"] == "li"
    rotated = run("credential", "rotate", made["id"], "--json").json
    assert rotated["person_id"] == "li"
    done = run("credential", "add", "bureau", "--person", "somebody")
    assert (done.code, "no person somebody" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("add", "nobody", "x"), 1, "no partner nobody"),
        (("add", "bureau", "x", "--role", "reviewr"), 2, "no role reviewr; near it: reviewer"),
        (("add", "bureau", "x", "--role", "reviewer", "--role", "auditor"), 2, "auditor is held alone"),
        (("add", "bureau", "x", "--role", "maker", "--from", "2026-02-01", "--until", "2026-01-01"), 2, "ends before"),
        (("add", "bureau", "x", "--language", "fr"), 2, "must be en or zh"),
        (("roles", "nobody"), 1, "no person nobody"),
        (("roles", "wang", "--take", "maker"), 1, "does not hold maker"),
        (("roles", "wang", "--give", "auditor"), 2, "auditor is held alone"),
    ],
)
def test_what_cannot_be_is_told(run, bureau, arguments, code, told):
    """Nothing is done, and why is said."""
    done = run("person", *arguments)
    assert (done.code, told in done.err, done.out) == (code, True, ""), done.err


@pytest.mark.parametrize(
    ("roles", "told"),
    [
        ('{ name = "reviewr" }', "no role reviewr"),
        ('{ name = "auditor" }, { name = "maker" }', "auditor is held alone"),
        ('{ name = "maker", valid_from = 2026-02-01T00:00:00Z, valid_until = 2026-01-01T00:00:00Z }', "ends before"),
        ('{ name = "maker", valid_from = 2026-02-01T00:00:00 }', "needs an offset"),
    ],
)
def test_a_file_with_impossible_roles_is_refused(run, tmp_path, roles, told):
    """A role that is none, one that is held alone, a time that is none: nothing is imported."""
    (tmp_path / "q.toml").write_text(
        f'[[partners]]\nid = "b"\nname = "B"\n[[partners.persons]]\nid = "x"\nname = "X"\nroles = [{roles}]\n', "utf-8"
    )
    done = run("partner", "import", "q.toml")
    assert (done.code, told in done.err) == (2, True), done.err


def test_a_person_is_moved_by_no_file(run, tmp_path, bureau):
    """An id is one person's: a file in which another partner has it is refused, and so is one that has it twice."""
    other = FILE.replace('id = "bureau"', 'id = "other"')
    (tmp_path / "q.toml").write_text(other, "utf-8")
    done = run("partner", "import", "q.toml")
    assert (done.code, "acts for bureau already" in done.err) == (2, True)
    (tmp_path / "r.toml").write_text(FILE + other, "utf-8")
    assert "person wang is there twice" in run("partner", "import", "r.toml").err
