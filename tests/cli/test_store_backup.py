"""`gateway store backup`, `restore`, `verify`, `archive` and their like, and the operator's pages that show them, as they are typed."""

from __future__ import annotations

import re
import shlex
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.cli import words
from gateway.model import CaseEvent
from gateway.store import examination
from gateway.store.contract import CaseChange
from gateway.store.ports import Store
from tests.cli.conftest import Run
from tests.cli.test_store import with_gateway
from tests.store.backups import parts_of, repacked
from tests.store.made import LEASE, NOW, accept, claim, delivery, feed_entry, message, outcome
from tests.store.test_deliveries import result

ROOT = Path(__file__).resolve().parents[2]
LARGE = bytes(range(256)) * 300


async def _some(store: Store) -> None:
    """A case that is closed, long ago, with a delivery that is over; and a delivery that waits."""
    claimed = await claim(store, 1)
    case = f"{1:012x}case"
    keys = frozenset({("declaration", "TD-2026-0001")})
    events = (CaseEvent(case, NOW, "opened", "opened", "firm"),)
    await store.commit(
        outcome(
            claimed,
            messages=(message(claimed, case_id=case),),
            cases=(CaseChange(case, 0, "cleared", "firm", False, keys, {}, events),),
            deliveries=(delivery(f"{1:012x}over", "a", case_id=case),),
            feed=(feed_entry(f"{1:012x}told", case_id=case, at=NOW),),
        )
    )
    (held,) = await store.claim_deliveries(1, LEASE, NOW)
    await store.finish_attempt(result(held))
    waiting = await claim(store, 2, body=LARGE)
    await store.commit(outcome(waiting, deliveries=(delivery(f"{2:012x}waits", "b"),)))


@pytest.fixture
def filled(run: Run) -> Run:
    """A gateway that has done something, in the folder where commands are run."""
    with_gateway(_some)
    return run


def lose_the_machine() -> None:
    """All that the gateway keeps is gone, but the key and what was copied."""
    key = Path("var/signing.key").read_bytes()
    shutil.rmtree("var")
    Path("var").mkdir()
    Path("var/signing.key").write_bytes(key)


def test_a_backup_is_made_verified_and_restored(filled: Run) -> None:
    """In words and as JSON, in both languages; what is held afterwards is let go by `reconcile`."""
    made = filled("store", "backup", "b.tar", "--json")
    assert (made.code, made.json["entries"], made.json["bodies"], made.json["lost"]) == (0, 2, 1, [])
    assert "payloads: 2" in made.err
    key = filled("receipt", "key").out.strip()
    verified = filled("store", "verify", "b.tar", "--key", key, "--json").json
    assert (verified["valid"], verified["known_key"], verified["receipts"], verified["faults"]) == (True, True, 2, [])
    assert sum(verified["rows"].values()) == made.json["rows"]
    assert "backup of gateway.example/log" in filled("store", "verify", "b.tar").out
    assert "验证通过" in filled("store", "verify", "b.tar", "--lang", "zh").err
    lose_the_machine()
    restored = filled("store", "restore", "b.tar")
    assert restored.code == 0
    assert "the log gives gateway.example/log up" in restored.out
    assert "reconcile" in restored.out
    assert filled("store", "reconcile", "--send", "--all", "--json").json["reconciled"]
    again = filled("store", "restore", "b.tar")
    assert (again.code, "a restore replaces nothing" in again.err) == (1, True)


def test_a_key_comes_along_only_where_it_is_asked_for(filled: Run) -> None:
    """Without it nothing is restored, and what to do is said; with it the key is put in its place, for its owner alone."""
    filled("store", "backup", "plain.tar")
    filled("store", "backup", "with.tar", "--with", "signing-key")
    key = Path("var/signing.key").read_bytes()
    assert key not in b"".join(parts_of(Path("plain.tar")).values())
    shutil.rmtree("var")
    refused = filled("store", "restore", "plain.tar")
    assert (refused.code, "there is no signing key at var/signing.key" in refused.err) == (2, True)
    assert not Path("var/gateway.db").exists()
    assert filled("store", "restore", "with.tar", "--nothing-since", "--json").json["claimed"] == ""
    assert Path("var/signing.key").read_bytes() == key
    assert Path("var/signing.key").stat().st_mode & 0o777 == 0o600


def test_what_does_not_hold_is_named_and_not_restored(filled: Run) -> None:
    """In both languages, with the part; exit code 1."""
    filled("store", "backup", "b.tar")
    name = "tables/receipts/000001.jsonl.gz"
    repacked(Path("b.tar"), Path("bad.tar"), lambda parts: {one: c for one, c in parts.items() if one != name})
    found = filled("store", "verify", "bad.tar")
    assert (found.code, f"missing: {name}" in found.out, "does NOT hold" in found.err) == (1, True, True)
    assert f"缺失：{name}" in filled("store", "verify", "bad.tar", "--lang", "zh").out
    lose_the_machine()
    refused = filled("store", "restore", "bad.tar")
    assert (refused.code, name in refused.err, Path("var/gateway.db").exists()) == (1, True, False)


def test_a_lost_body_is_an_answer_of_no(filled: Run) -> None:
    """The backup is made all the same."""
    shutil.rmtree("var/payloads")
    made = filled("store", "backup", "b.tar")
    assert (made.code, "missing or damaged" in made.out) == (1, True)
    assert filled("store", "verify", "b.tar").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("backup",),
        ("backup", "gateway.toml"),  # something is there
        ("backup", "b.tar", "--with", "password"),
        ("restore", "missing.tar"),
        ("verify", "missing.tar"),
        ("verify", "gateway.toml", "--key", "nonsense"),
        ("archive",),  # nothing is to be archived
        ("hold",),
    ],
)
def test_nonsense_is_refused(filled: Run, arguments: tuple[str, ...]) -> None:
    """What cannot be meant ends with 2."""
    before = Path("gateway.toml").read_bytes()
    assert filled("store", *arguments).code == 2
    assert Path("gateway.toml").read_bytes() == before


def test_every_fault_has_its_words() -> None:
    """Each code that an examination tells is worded in both languages."""
    text = Path(examination.__file__).read_text("utf-8")
    codes = set(re.findall(r'tell\("(\w+)"', text)) | set(re.findall(r'\[?\("(\w+)", (?:self|origin)', text))
    assert codes >= {"cut", "missing", "changed", "log", "nodes", "checkpoint", "body", "rows"}
    for code in codes:
        english, chinese = (words.word(f"fault_{code}", language, part="p", detail="d") for language in ("en", "zh"))
        assert english != chinese


def archiving() -> None:
    """A gateway.toml by which what is a year old goes; the clock is a real one, and NOW is long before it."""
    age = max(30, (datetime.now(UTC) - NOW - timedelta(days=1)).days)
    days = "".join(f"{kind}_days = {age}\n" for kind in ("timelines", "deliveries", "feeds", "bodies"))
    Path("gateway.toml").write_text(Path("gateway.toml").read_text("utf-8") + f"[retention]\n{days}", "utf-8")


def test_what_is_old_is_archived_but_for_what_is_held(filled: Run) -> None:
    """Dry first; a held case keeps its own; released, it goes, and the archive verifies."""
    archiving()
    assert filled("store", "hold", "TD-2026-0001", "--reason", "claim 7").code == 0
    assert filled("store", "holds", "--json").json[0]["reason"] == "claim 7"
    dry = filled("store", "archive", "--dry-run", "--json").json
    assert {one["kind"]: (one["things"], one["kept"]) for one in dry["kinds"]} == {
        "timelines": (0, 1),
        "deliveries": (0, 1),
        "feeds": (0, 1),
        "bodies": (1, 4),
    }
    assert not Path("var/archives").exists()
    assert "TD-2026-0001" not in filled("store", "release", "TD-2026-0001").err
    done = filled("store", "archive")
    assert "deliveries: 1 went" in done.out
    assert "投递：已归档 0 项" in filled("store", "archive", "--lang", "zh").out
    listed = filled("store", "archives", "--json").json
    assert {one["kind"] for one in listed} == {"timelines", "deliveries", "feeds", "bodies"}
    for one in listed:
        assert filled("store", "verify", f"var/archives/{one['name']}").code == 0
    asked = filled("message", "show", f"{1:032x}", "--original")
    assert (asked.code, "was moved to the archive bodies-" in asked.err) == (1, True)
    assert filled("store", "release", "TD-2026-0001").code == 1
    assert filled("store", "hold", "TD-404").code == 1


# The operator's pages.


def shown(section: str) -> list[str]:
    """The commands that a section of docs/operations.md shows, in order."""
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    part = re.search(rf"^## {section}\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    assert part is not None
    return re.findall(r"^    (gateway .*)$", part[1], re.MULTILINE)


def follow(run: Run, section: str) -> int:
    """Type what a section shows, with the names that are there; how many commands it was."""
    commands = shown(section)
    for command in commands:
        given = shlex.split(command)[1:]
        if "var/archives/NAME.tar" in given:
            (first, *_) = sorted(Path("var/archives").iterdir())
            given[given.index("var/archives/NAME.tar")] = str(first)
        done = run(*given)
        assert done.code == 0, (command, done.out, done.err)
    return len(commands)


def test_the_runbook_can_be_followed(filled: Run) -> None:
    """Backup, restore after all was lost, and retention: each command of the pages is typed, and does what they say."""
    assert follow(filled, "Backup") == 3
    lose_the_machine()
    assert follow(filled, "Restore") == 5
    assert filled("config", "check", "--json").json["open_breaks"] == 0
    archiving()
    with_gateway(lambda store: accept(store, 77))  # it goes on
    assert follow(filled, "Retention") == 7
    assert len(list(Path("var/archives").iterdir())) == 4
