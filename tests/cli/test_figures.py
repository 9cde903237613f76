"""Reports, samples and risk records on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from gateway import config, opening
from gateway.decide.sampling import Bounds, find_fraction, key_digest, window_key
from gateway.documents.risk import RiskRecord
from gateway.model import AuditEntry, Draw, Figure, MadeReport
from gateway.store.contract import CaseChange
from gateway.store.sql_store import SqlStore
from tests.check.test_sampling_rules import plan
from tests.store.made import claim, message, outcome

NOW = datetime(2026, 3, 5, tzinfo=UTC)
WINDOW = "2026-01-02/30"
SECRET = bytes(range(32))
KEY = window_key(SECRET, WINDOW)
REPORT = MadeReport(
    "accepted_by_office",
    date(2026, 2, 1),
    date(2026, 2, 28),
    date(2026, 2, 1),
    7,
    NOW,
    {
        "report": "accepted_by_office",
        "title": "Declarations accepted",
        "first_day": "2026-02-01",
        "last_day": "2026-02-28",
        "last_fact": 7,
        "measure": "count",
        "rows": ["declared_at"],
        "columns": ["direction"],
        "total": "3",
        "lines": [{"row": ["370100"], "column": ["outbound"], "value": "3"}],
        "corrections": [{"period": "2026-01-01", "row": ["370100"], "column": ["inbound"], "value": "-1"}],
    },
)


def with_store(work: Callable[[SqlStore], Awaitable[None]]) -> None:
    """Do something with the store of the folder that the command line works in."""
    settings = config.load()

    async def run() -> None:
        async with opening.opened(settings, opening.signer(settings.receipts)) as store:
            await work(store)

    asyncio.run(run())


async def commit(store: SqlStore, **more: Any) -> None:
    claimed = await claim(store)
    await store.commit(outcome(claimed, messages=(message(claimed),), **more))


def test_reports_are_listed_and_shown(run: Any) -> None:
    """Which are made needs no store; one that was made is shown with its corrections, as a table, CSV or JSON."""
    assert "accepted_by_office" in {line["report"] for line in run("reports", "list", "--json").lines}
    run("migrate")
    assert run("reports", "show", "accepted_by_office").code == 1
    with_store(lambda store: commit(store, reports=(REPORT, replace(REPORT, first=date(2026, 1, 1)))))
    (newest, older) = run("reports", "list", "accepted_by_office", "--json").lines
    assert (newest["first_day"], newest["total"], newest["corrections"], older["first_day"]) == (
        "2026-02-01", "3", 1, "2026-01-01",
    )  # fmt: skip
    assert run("reports", "list", "accepted_by_office", "--before", "2026-02-01", "--json").lines == [older]
    shown = run("reports", "show", "accepted_by_office")
    assert "370100" in shown.out
    assert "-1" in shown.out
    assert run("reports", "show", "accepted_by_office", "2026-02-01", "--json").json == dict(REPORT.document)
    table = run("reports", "show", "accepted_by_office", "--csv").out.splitlines()
    assert table[-1] == "correction,2026-01-01,370100,inbound,-1"
    assert run("reports", "show", "accepted_by_office", "2026-04-01").code == 1


def drawn() -> list[Draw]:
    """Twelve draws under the window's key."""
    bounds, found, chosen = Bounds.of(plan()), [], 0
    for number in range(1, 13):
        fraction = find_fraction(KEY, "spot", "370100", f"N-{number}")
        is_chosen, why = bounds.choose(fraction, number - 1, chosen)
        found.append(
            Draw(
                "spot", "370100", WINDOW, f"N-{number}", number, fraction, is_chosen, why, chosen, bounds.told(), at=NOW
            )
        )  # fmt: skip
        chosen += is_chosen
    return found


def disclosed(action: str, **after: str) -> AuditEntry:
    told = {"window": WINDOW, "sha256": key_digest(KEY), **after}
    return AuditEntry(NOW, action, "done", "", "", "", "", "", "", "alarm", after=told)


@pytest.mark.parametrize("changed", [False, True])
def test_an_auditor_repeats_the_draws(run: Any, tmp_path: Any, changed: bool) -> None:
    """By the key that the audit tells, or a file's by a key that is given; what came out otherwise is named."""
    run("migrate")
    draws = drawn()
    if changed:
        draws[4] = replace(draws[4], item="N-99")
    entries = (disclosed("sampling.key"), disclosed("sampling.reveal", key=KEY.hex()))
    with_store(lambda store: commit(store, draws=tuple(draws), audit=entries))
    checked = run("sample", "check", "spot", WINDOW, "--json")
    wrong = [{"item": "N-99", "stratum": "370100", "what": "fraction"}] if changed else []
    assert (checked.code, checked.json) == (int(changed), {"draws": 12, "wrong": wrong})
    listed = run("sample", "list", "spot", WINDOW, "--json").out
    (tmp_path / "draws.jsonl").write_text(listed, "utf-8")
    assert run("sample", "check", "spot", WINDOW, "--file", "draws.jsonl", "--key", KEY.hex()).code == int(changed)
    assert run("sample", "check", "spot", WINDOW, "--key", bytes(32).hex()).code == 1
    assert run("sample", "check", "spot", WINDOW, "--file", "draws.jsonl").code == 2


def test_a_key_that_is_not_told_yet_repeats_nothing(run: Any) -> None:
    """While its window runs, the audit has the digest alone."""
    run("migrate")
    with_store(lambda store: commit(store, draws=tuple(drawn()), audit=(disclosed("sampling.key"),)))
    checked = run("sample", "check", "spot", WINDOW)
    assert checked.code == 1
    assert "is not over" in checked.err
    assert run("sample", "check", "spot", WINDOW, "--key", KEY.hex()).code == 0
    assert "N-12" in run("sample", "list", "spot", WINDOW).out


def test_records_are_listed_with_their_rate(run: Any) -> None:
    """The newest first, by office; the interception rate has its denominator beside it."""
    run("migrate")
    record = RiskRecord(
        point="odd_hours", area="integrity", grade=3, level="section", office="370200", stopped=True,
        found_at=NOW, occasion="m-1", person="wu",
    )  # fmt: skip
    cases = tuple(
        CaseChange(f"r-{n}", 0, state, "", documents={"risk": record.to_kept()}, kind="risk", tracks={"risk": state})
        for n, state in enumerate(["closed", "commissioned"])
    )
    figures = tuple(
        Figure("risk_true", f"r-{n}", NOW.date(), {"stopped": stopped}) for n, stopped in enumerate(["yes", "no", "no"])
    )
    with_store(lambda store: commit(store, cases=cases, figures=figures))
    assert [line["risk"] for line in run("risk", "list", "--json").lines] == ["r-1", "r-0"]
    assert [line["risk"] for line in run("risk", "list", "--open", "--json").lines] == ["r-1"]
    assert run("risk", "list", "--office", "370900", "--json").lines == []
    assert run("risk", "rate", "2026-03-01", "2026-03-31", "--json").json == {
        "found_true": 3, "intercepted": 1, "rate": "33.33%",
    }  # fmt: skip
    assert run("risk", "rate", "2026-04-01", "2026-04-30", "--json").json["rate"] is None
    assert run("risk", "rate", "soon", "2026-04-30").code == 2
