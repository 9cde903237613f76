"""What was moved to an archive is answered 410, to whoever might have had it, with the archive; to others it is not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from gateway import opening
from gateway.config import Retention
from gateway.findings import make_finding
from gateway.model import CaseEvent
from gateway.process import Process
from gateway.store.contract import Alert, CaseChange, Outcome
from gateway.store.retained import Plan
from tests.web.conftest import NOW, Quiet
from tests.web.test_feeds import publish, read

LATER = NOW + timedelta(days=400)


def later() -> datetime:
    return LATER


async def archive(quiet: Quiet, folder: Path, **days: int) -> list[str]:
    """Archive what is older than so many days; the archives' names."""
    plan = Plan(folder, days, frozenset(), 100, 1 << 20)
    done = await quiet.store.archive(plan, later)
    return [name for one in done.kinds for name in one.archives]


async def test_a_reader_that_missed_something_is_told_where_it_is(quiet: Quiet, tmp_path: Path) -> None:
    """With where to go on; whoever had it all reads on, and whoever begins anew begins with what is there."""
    for number in range(3):
        await publish(quiet, number)
    first = (await read(quiet, "limit=1"))["next"]
    last = (await read(quiet))["next"]
    (name,) = await archive(quiet, tmp_path / "archives", feeds=100)
    answer = await quiet.client.ask("GET", f"/v1/feeds/clearance?after={first}", as_="customs")
    assert (answer.status, answer.json["type"].rpartition(":")[2]) == (410, "archived")
    assert name in answer.json["detail"]
    told = answer.json["detail"].removesuffix(".").rpartition(" ")[2]
    chinese = await quiet.client.ask(
        "GET", f"/v1/feeds/clearance?after={first}", as_="customs", headers={"Accept-Language": "zh"}
    )
    assert "已归档" in chinese.json["detail"]
    assert told in chinese.json["detail"]
    streamed = await quiet.client.ask(
        "GET", f"/v1/feeds/clearance?after={first}", as_="customs", headers={"Accept": "text/event-stream"}
    )
    assert streamed.status == 410
    await publish(quiet, 3)
    for cursor in (told, last, ""):
        page = await read(quiet, f"after={cursor}")
        assert [entry["keys"]["n"] for entry in page["items"]] == ["3"], cursor


async def test_a_reader_that_missed_nothing_of_its_own_reads_on(quiet: Quiet, tmp_path: Path) -> None:
    """Entries of others that went are no business of a quiet reader, whose cursor moves on with them."""
    await publish(quiet, 0)
    cursor = (await read(quiet))["next"]
    for number in (1, 2):
        await publish(quiet, number, partner="customs-elsewhere")
    await archive(quiet, tmp_path / "archives", feeds=100)
    page = await read(quiet, f"after={cursor}")
    assert page["items"] == []
    assert page["next"] != cursor
    await publish(quiet, 3)
    assert len((await read(quiet, f"after={page['next']}"))["items"]) == 1


async def test_a_document_that_went_is_told_to_its_readers_alone(quiet: Quiet, tmp_path: Path) -> None:
    """410 with the archive; 404 for another's, as for one that never was."""
    await publish(quiet, 0)
    await publish(quiet, 1, partner="customs-elsewhere")
    (name,) = await archive(quiet, tmp_path / "archives", feeds=100)
    answer = await quiet.client.ask("GET", "/v1/feeds/clearance/1", as_="customs")
    assert (answer.status, name in answer.json["detail"]) == (410, True)
    missing = await quiet.client.ask("GET", "/v1/feeds/clearance/99", as_="customs")
    anothers = await quiet.client.ask("GET", "/v1/feeds/clearance/2", as_="customs")
    assert (anothers.status, anothers.json) == (missing.status, missing.json)
    assert missing.status == 404


async def test_a_timeline_says_where_what_happened_before_is(quiet: Quiet, tmp_path: Path) -> None:
    """In the reader's language, in the place of what went."""
    assert (await quiet.client.send(b"1")).status == 202
    (claimed,) = await quiet.store.claim_payloads(1, timedelta(minutes=1), NOW)
    opened = CaseEvent("0" * 12 + "c", NOW, "opened", "", "acme", details={"status": "cleared"})
    change = CaseChange(
        opened.case_id, 0, "cleared", "acme", False, frozenset({("declaration", "TD-7")}), {}, (opened,)
    )
    await quiet.store.commit(Outcome(claimed.work, 0, finished=True, cases=(change,)))
    plan = Plan(tmp_path / "archives", {"timelines": 100}, frozenset({"cleared"}), 100, 1 << 20)
    (kind,) = (await quiet.store.archive(plan, later)).kinds
    for language, words in (("en", "What happened before was moved to an archive"), ("zh", "此前的经过已归档")):
        answer = await quiet.client.ask("GET", "/v1/cases/TD-7", headers={"Accept-Language": language})
        (case,) = answer.json["items"]
        (event,) = case["events"]
        assert event["kind"] == "archived"
        assert event["text"].startswith(words)
        assert kind.archives[0] in event["text"]


async def test_a_gateway_archives_by_itself_where_that_is_wanted(quiet: Quiet, tmp_path: Path) -> None:
    """By default nothing is; a kind with an age makes the process run it daily."""
    settings = quiet.client.services.settings
    notary = quiet.client.services.notary
    assert "retention" not in Process(settings, quiet.store, notary)._background
    wanted = settings.model_copy(update={"retention": Retention(folder=tmp_path, deliveries_days=365)})
    process = Process(wanted, quiet.store, notary)
    assert "retention" in process._background
    assert opening.plan(wanted.retention).days == {"deliveries": 365}
    assert replace(opening.plan(wanted.retention), days={}) == opening.plan(Retention(folder=tmp_path))


async def test_an_alert_whose_entry_went_still_stands(quiet: Quiet, tmp_path: Path) -> None:
    """It is told with all that is counted; only its newest reason is in the archive."""
    why = (make_finding("operator.disk_low", node="n", free="1", least="2"),)
    await quiet.store.raise_alert(Alert("disk_low", "n", why, NOW, cause="n"))
    (before,) = (await quiet.client.ask("GET", "/v1/alerts", as_="operator")).json["items"]
    await archive(quiet, tmp_path / "archives", feeds=100)
    page = await quiet.client.ask("GET", "/v1/alerts", as_="operator")
    assert page.status == 200, page.body
    (after,) = page.json["items"]
    assert before["text"]
    assert after == {**before, "text": ""}
    assert (await quiet.client.ask("POST", f"/v1/alerts/{after['id']}/take", as_="operator")).json["state"] == "taken"
