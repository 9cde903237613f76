"""A large answer is bounded, counted before it is read or made, and never in memory whole."""

from __future__ import annotations

import asyncio
import io
import time
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.model import Finding, MessageState, Place, Severity, Syntax
from gateway.store.bodies import BodyFiles
from gateway.store.contract import CaseChange, MessageRecord, Outcome
from gateway.transports.spool import Spool
from gateway.web import views
from gateway.web.api import log as log_api
from tests.web.conftest import NOW, Client, Filled, Quiet, fill

LARGE = b'"0123456789abcdefghijklmnopqrst",' * 10_000 + b"0"
"""More than a row holds."""


@pytest.fixture
def changes() -> dict[str, Any]:
    """A bound that a test can reach."""
    return {"limits": {"payload_bytes": 400_000, "partner_bytes_under_way": 600_000}}


def never(*_: object, **__: object) -> Any:
    """What must not happen."""
    raise AssertionError("a large body was read")


def unless_a_payload(read: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    """`read` of everything but what is kept of payloads."""

    def checked(path: Path) -> bytes:
        return never() if "payloads" in path.parts else read(path)

    return checked


async def released(spool: Spool) -> None:
    """What was counted is let go of as soon as the last byte has left."""
    for _ in range(200):
        if not spool.under_way:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("bytes stay under way")


async def test_a_large_bundle_is_counted_before_it_is_made(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where too much is under way nothing is read; else it is made in a file that is gone afterwards."""
    index = (await client.send(b"UNB+" + LARGE)).json["receipt_index"]
    spool = client.services.spool
    path = f"/v1/receipts/{index}/bundle"
    with spool.reserved("acme", 400_000), monkeypatch.context() as patched:
        patched.setattr(log_api, "write_bundle", never)
        assert (await client.ask("GET", path)).status == 429
    monkeypatch.setattr(Path, "read_bytes", unless_a_payload(Path.read_bytes))
    for _ in range(3):
        answer = await client.ask("GET", path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
        with zipfile.ZipFile(io.BytesIO(answer.body)) as file:
            (name,) = (one for one in file.namelist() if one.startswith("payloads/"))
            assert file.read(name) == b"UNB+" + LARGE
    await released(spool)
    assert list((client.services.settings.store.payload_folder / "spool").glob("*")) == []


@pytest.mark.parametrize("path", ["/v1/deliveries/d-1/body", "/v1/feeds/clearance/1", "/v1/receipts/2/bundle"])
async def test_large_bytes_are_sent_from_their_file(quiet: Quiet, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """What lies in a file is counted by its size before it is opened, and goes out piece by piece."""
    filled: Filled = await fill(quiet, b"[" + LARGE + b"]", b"[1," + LARGE + b"]")
    spool = filled.client.services.spool
    monkeypatch.setattr(BodyFiles, "read", never)
    monkeypatch.setattr(Path, "read_bytes", never)
    with spool.reserved("customs", spool.limits.partner_bytes_under_way - len(LARGE)):
        assert (await filled.client.ask("GET", path, as_="customs")).status == 429
    answer = await filled.client.ask("GET", path, as_="customs")
    assert answer.status == 200
    assert LARGE in answer.body
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    await released(spool)


async def test_a_body_whose_file_is_missing_is_told_before_anything_is_sent(quiet: Quiet) -> None:
    """It is a fault of ours, with its status, and not an answer that breaks off."""
    filled = await fill(quiet, LARGE)
    for file in quiet.client.services.settings.store.payload_folder.glob("??/*"):
        file.unlink()
    for path in ("/v1/deliveries/d-1/body", "/v1/receipts/2/bundle"):
        assert (await filled.client.ask("GET", path, as_="customs")).status == 500


def findings(count: int, value: str = "x") -> tuple[Finding, ...]:
    """So many findings of one message, each at its own place."""
    return tuple(
        Finding("edi.message.no_table", Severity.WARNING, Place(segment=number, tag="UNH"), value)
        for number in range(1, count + 1)
    )


async def with_findings(quiet: Quiet, *counts: int) -> str:
    """The id of a payload of acme's whose messages have so many findings each, all of one case."""
    id_: str = (await quiet.client.send(b"UNB+many")).json["id"]
    (claimed,) = await quiet.store.claim_payloads(1, timedelta(minutes=1), NOW)
    messages = tuple(
        MessageRecord(
            f"m-{number}", id_, number, "acme", Syntax.EDIFACT, "edifact:CUSDEC:D:96B:UN", str(number),
            MessageState.HELD, NOW, findings=findings(count), case_id="c-many",
        )
        for number, count in enumerate(counts, 1)
    )  # fmt: skip
    case = CaseChange("c-many", 0, "held", "acme", False, frozenset({("bill", "B-MANY")}))
    await quiet.store.commit(Outcome(claimed.work, len(counts), finished=True, messages=messages, cases=(case,)))
    return id_


MANY = (3, 2000, 0, 1, 1500, *[2000] * 8, 500, 501, 7)


async def test_findings_beyond_a_page_are_counted_and_read_on(quiet: Quiet) -> None:
    """Following `next` tells each finding once, in order; no answer is larger than some hundred kilobytes."""
    id_ = await with_findings(quiet, *MANY)
    told: dict[int, list[int]] = {number: [] for number in range(1, len(MANY) + 1)}
    path, pages = f"/v1/messages/{id_}?limit=500", 0
    while path:
        answer = await quiet.client.ask("GET", path)
        assert answer.status == 200
        assert len(answer.body) < 700_000
        for message in answer.json["messages"]:
            told[message["number"]] += [one["place"]["segment"] for one in message["findings"]]
            assert message["findings_count"] == MANY[message["number"] - 1]
            whole = len(told[message["number"]]) == message["findings_count"]
            assert (message["findings_link"] is None) == whole
        next_, pages = answer.json["next"], pages + 1
        path = next_ and f"/v1/messages/{id_}?limit=500&cursor={next_}"
    assert told == {number: list(range(1, count + 1)) for number, count in enumerate(MANY, 1)}
    assert pages < 60


async def test_a_case_counts_findings_and_says_where_they_are(quiet: Quiet) -> None:
    """Of a message with very many findings a case tells the number, and the link tells them all."""
    await with_findings(quiet, *MANY)
    answer = await quiet.client.ask("GET", "/v1/cases/B-MANY?limit=500")
    assert len(answer.body) < 3_000_000
    (case,) = answer.json["items"]
    assert [message["findings_count"] for message in case["messages"]] == list(MANY)
    heavy = case["messages"][1]
    assert heavy["findings"] == []
    told = (await quiet.client.ask("GET", heavy["findings_link"])).json["messages"][0]
    assert told["id"] == heavy["id"]
    assert len(told["findings"]) >= 500
    assert len(case["messages"][0]["findings"]) == 3
    assert case["messages"][0]["findings_link"] is None


async def test_a_large_answer_is_counted_before_it_is_made(quiet: Quiet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where too much is under way it is refused before any of it is put into words."""
    id_ = await with_findings(quiet, *[2000] * 3)
    spool = quiet.client.services.spool
    monkeypatch.setattr(views, "finding", never)
    with spool.reserved("acme", spool.limits.partner_bytes_under_way - 100_000):
        assert (await quiet.client.ask("GET", f"/v1/messages/{id_}")).status == 429
    monkeypatch.undo()
    assert (await quiet.client.ask("GET", f"/v1/messages/{id_}")).status == 200
    await released(spool)


async def test_large_answers_keep_nobody_waiting(quiet: Quiet) -> None:
    """While many large answers are made, the loop is never held for long."""
    id_ = await with_findings(quiet, *[2000] * 20)
    await quiet.client.ask("GET", f"/v1/messages/{id_}?limit=500")
    worst, done = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal worst
        while not done.is_set():
            began = time.thread_time()  # of the loop's own thread: how busy the machine is says nothing about the claim
            await asyncio.sleep(0.001)
            worst = max(worst, time.thread_time() - began)

    watching = asyncio.create_task(watch())
    await asyncio.gather(
        *(quiet.client.ask("GET", path) for path in (f"/v1/messages/{id_}?limit=500", "/v1/cases/B-MANY?limit=500") * 4)
    )
    done.set()
    await watching
    assert worst < 0.5
