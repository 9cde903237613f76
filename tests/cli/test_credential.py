from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway import config, opening
from gateway.registry.keys import hash_key
from tests.cli.test_partner import FILE, KEY


@pytest.fixture
def acme(run, tmp_path):
    """The id of acme's key, with acme in the registry."""
    (tmp_path / "p.toml").write_text(FILE, "utf-8")
    assert run("partner", "import", "p.toml").code == 0
    (line,) = run("credential", "list", "acme", "--json").lines
    return line["id"]


def kept(tmp_path, key):
    """What the registry holds of a key."""

    async def look():
        settings = config.load(tmp_path / "gateway.toml")
        async with opening.opened(settings, opening.signer(settings.receipts)) as store:
            return await store.shown_credential(hash_key(key))

    return asyncio.run(look())


def test_a_key_is_added_beside_those_there_are(run, tmp_path, acme):
    """What is printed once opens what was asked for; the one before stays, and only hashes are kept or told."""
    done = run("credential", "add", "acme", "--scope", "read", "--label", "dashboard", "--days", "30", "--test")
    key = done.out.strip()
    made = kept(tmp_path, key)
    assert (made.partner_id, made.scopes, made.label, made.test) == ("acme", {"read"}, "dashboard", True)
    assert made.valid_until - made.valid_from == timedelta(days=30)
    listed = run("credential", "list", "acme")
    assert (acme in listed.out, made.id in listed.out, "dashboard" in listed.out) == (True, True, True)
    assert key not in listed.out + run("credential", "list", "acme", "--json").out
    assert made.hash not in listed.out + run("credential", "list", "acme", "--json").out


def test_a_rotation_overlaps(run, tmp_path, acme):
    """The new key has the old one's scopes and is valid at once; the old one ends after the overlap, and not before."""
    before = datetime.now(UTC)
    told = run("credential", "rotate", acme, "--overlap", "2", "--json").json
    old, new = kept(tmp_path, KEY), kept(tmp_path, told["key"])
    assert (new.scopes, new.label, new.revoked_at) == (old.scopes, old.label, None)
    assert before <= new.valid_from <= datetime.now(UTC)
    assert timedelta(hours=2) <= old.revoked_at - before < timedelta(hours=2, minutes=1)
    assert {line["id"]: line["is"] for line in run("credential", "list", "acme", "--json").lines} == {
        acme: "valid",
        new.id: "valid",
    }


def test_a_revoked_key_stays_shut(run, tmp_path, acme):
    """It is over at once, importing its file again does not open it, and it cannot be rotated."""
    assert run("credential", "revoke", acme).code == 0
    assert run("partner", "import", "p.toml").code == 0
    (line,) = run("credential", "list", "acme", "--json").lines
    assert line["is"] == "revoked"
    done = run("credential", "rotate", acme)
    assert (done.code, "revoked" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("add", "nobody"), 1, "no partner nobody"),
        (("list", "nobody"), 1, "no partner nobody"),
        (("add", "acme", "--scope", "everything"), 2, "no scope everything"),
        (("rotate", "unknown"), 1, "no credential unknown"),
        (("revoke", "unknown"), 1, "no credential unknown"),
    ],
)
def test_what_is_not_there_is_told(run, acme, arguments, code, told):
    """A partner, scope or credential that is not there is named, and nothing is done."""
    done = run("credential", *arguments)
    assert (done.code, told in done.err, done.out) == (code, True, "")


def test_only_keys_are_made_here(run, tmp_path, acme):
    """A token is somebody else's to make: the next one is imported."""
    (tmp_path / "q.jsonl").write_text(
        '{"id": "bureau", "name": "B", "credentials": [{"id": "t", "kind": "token", "use": "out", "reference": "env:T"}]}',
        "utf-8",
    )
    assert run("partner", "import", "q.jsonl", "--json").json["credentials"] == 1
    done = run("credential", "rotate", "t")
    assert (done.code, "is a token" in done.err) == (1, True)
