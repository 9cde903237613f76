from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.findings import make_finding
from gateway.receipt.signed import Signer
from gateway.store import open_store
from gateway.store.contract import Alert
from tests.cli.conftest import Run

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def rung(run: Run, tmp_path: Path) -> Run:
    """A store with three alerts, two of them about acme, and one of test traffic."""
    assert run("migrate").code == 0

    async def ring() -> None:
        store = open_store(
            "sqlite:///var/gateway.db", signer=Signer("gateway.example/log", bytes(32)), payload_folder=tmp_path / "p"
        )
        await store.open()
        for number, (kind, partner, test) in enumerate(
            [
                ("delivery_dead", "acme", False),
                ("disk_low", "", False),
                ("delivery_dead", "acme", False),
                ("t", "acme", True),
            ]
        ):
            why = make_finding("deadline.failed", kind=f"term-{number}", deadline="d", reason="x\x1b[2J")
            await store.raise_alert(Alert(kind, str(number), (why,), NOW, partner_id=partner, test=test))
        await store.close()

    asyncio.run(ring())
    run("alert", "list")  # takes what the store logged just now
    return run


def test_the_newest_stands_first(rung: Run) -> None:
    """Alerts are listed from the newest back, each with its number, partner and reason; those of tests are apart."""
    lines = rung("alert", "list", "--json").lines
    assert [(one["number"], one["alert"], one.get("partner", "")) for one in lines] == [
        (3, "delivery_dead", "acme"),
        (2, "disk_low", ""),
        (1, "delivery_dead", "acme"),
    ]
    assert "term-2" in lines[0]["text"]
    assert [one["alert"] for one in rung("alert", "list", "--test", "--json").lines] == ["t"]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (("--kind", "delivery_dead"), [3, 1]),
        (("--partner", "acme", "--limit", "1"), [3]),
        (("--before", "3"), [2, 1]),
        (("--before", "3", "--kind", "delivery_dead"), [1]),
        (("--kind", "none"), []),
        (("--limit", "2"), [3, 2]),
    ],
    ids=str,
)
def test_a_list_is_narrowed(rung: Run, options: tuple[str, ...], numbers: list[int]) -> None:
    """By kind, partner and place, with a limit that counts what is shown."""
    assert [one["number"] for one in rung("alert", "list", "--json", *options).lines] == numbers


def test_reasons_are_in_the_readers_language(rung: Run) -> None:
    """In Chinese for who reads that, and what a partner wrote acts on no terminal."""
    said = rung("alert", "list", "--lang", "zh").out
    assert "期限" in said
    assert "\x1b" not in said


def test_one_alert_is_shown_whole(rung: Run) -> None:
    """With all that a program may want of it; a number that is none ends with exit code 1."""
    said = rung("alert", "show", "1")
    assert said.code == 0
    assert "delivery_dead" in said.out
    assert "acme" in said.out
    assert rung("alert", "show", "1", "--json").json["partner"] == "acme"
    assert rung("alert", "show", "9").code == 1


def test_what_stands_is_counted_taken_settled_and_silenced(rung: Run) -> None:
    """One for each kind and cause; each order says what it came to, and one that cannot be is exit code 1."""
    lines = rung("alert", "standing", "--json").lines
    told = {(one["kind"], one["cause"], one["times"], one["state"]) for one in lines}
    assert told == {("disk_low", "", 1, "open"), ("delivery_dead", "acme", 2, "open")}
    dead = next(one["id"] for one in lines if one["kind"] == "delivery_dead")
    assert rung("alert", "take", dead).code == 0
    assert rung("alert", "silence", dead, "--hours", "2", "--reason", "known").code == 0
    assert "处理中" in rung("alert", "standing", "--lang", "zh").out
    assert rung("alert", "settle", dead, "--words", "they are back").code == 0
    (settled,) = rung("alert", "standing", "--state", "settled", "--json").lines
    assert (settled["said"], settled["silent_until"] is None) == ("they are back", False)
    refused = rung("alert", "take", dead)
    assert (refused.code, "settled" in refused.err) == (1, True)
    assert rung("alert", "take", "99").code == 1
    assert rung("alert", "standing", "--state", "lost").code == 2
