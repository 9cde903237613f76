from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from hashlib import sha256

import pytest

from gateway import model
from gateway.check.feeds import FeedRule
from gateway.discovery import find_flows
from gateway.errors import FlowsInvalid
from gateway.findings import make_finding
from gateway.model import Role
from gateway.store.contract import Alert, CaseChange, Outcome
from gateway.transports.http import content_digest
from tests.web.conftest import NOW, Filled, Quiet


async def publish(quiet: Quiet, number: int, *, partner: str = "customs", test: bool = False) -> None:
    """Put one entry on the clearance feed."""
    as_ = "acme-test" if test else "acme"
    assert (await quiet.client.send(b"%d" % number, as_=as_)).status == 202
    (claimed,) = await quiet.store.claim_payloads(1, timedelta(minutes=1), NOW)
    body = b'{"number":%d}' % number
    entry = model.FeedEntry(
        "clearance", partner, "clearance", f"f-{number}", sha256(body).hexdigest(), {"n": str(number)}, test,
        body=body, at=NOW,
    )  # fmt: skip
    await quiet.store.commit(Outcome(claimed.work, 0, finished=True, feed=(entry,)))


async def read(quiet: Quiet, query: str = "", **more):
    """One page of the clearance feed."""
    answer = await quiet.client.ask("GET", f"/v1/feeds/clearance?{query}", as_="customs", **more)
    assert answer.status == 200, answer.body
    return answer.json


async def test_a_reader_that_follows_the_cursor_sees_each_entry_once(quiet: Quiet):
    """Pages joined by `next` hold every entry once, in commit order, and the cursor stays good at the end."""
    for number in range(5):
        await publish(quiet, number)
    seen, cursor = [], ""
    while True:
        page = await read(quiet, f"limit=2&after={cursor}")
        if not page["items"]:
            break
        seen += [entry["keys"]["n"] for entry in page["items"]]
        cursor = page["next"]
    assert seen == ["0", "1", "2", "3", "4"]
    await publish(quiet, 5)
    page = await read(quiet, f"after={page['next']}")
    assert [entry["keys"]["n"] for entry in page["items"]] == ["5"]


async def test_entries_for_another_are_not_there(quiet: Quiet):
    """An entry meant for one reader is not in another's feed; one for everyone is."""
    await publish(quiet, 1, partner="customs-elsewhere")
    await publish(quiet, 2, partner="")
    assert [entry["keys"]["n"] for entry in (await read(quiet))["items"]] == ["2"]


async def test_test_entries_are_apart(quiet: Quiet):
    """Test traffic has its own feed."""
    await publish(quiet, 1, test=True)
    assert (await read(quiet))["items"] == []
    (entry,) = (await read(quiet, "test=true"))["items"]
    document = await quiet.client.ask("GET", entry["link"], as_="customs")
    assert document.json == {"number": 1}


async def test_a_long_poll_answers_when_something_comes(quiet: Quiet):
    """A reader that waits is answered soon after the commit, not at the end of its patience."""
    waiting = asyncio.create_task(read(quiet, "wait=30"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await publish(quiet, 1)
    page = await asyncio.wait_for(waiting, 10)
    assert len(page["items"]) == 1


async def test_a_long_poll_ends_empty(quiet: Quiet):
    """Patience without news ends with an empty page and the same place."""
    began = time.monotonic()
    page = await read(quiet, "wait=1")
    assert page["items"] == []
    assert time.monotonic() - began >= 0.9


async def test_waiting_readers_are_answered_when_the_process_ends(quiet: Quiet):
    """A stopping gateway does not leave its readers hanging."""
    waiting = asyncio.create_task(read(quiet, "wait=60"))
    await asyncio.sleep(0.1)
    quiet.client.services.stopping.set()
    assert (await asyncio.wait_for(waiting, 5))["items"] == []


async def test_events_stream_and_resume(quiet: Quiet):
    """As events, entries come as they are committed; Last-Event-ID resumes behind the last one seen."""
    await publish(quiet, 1)
    headers = {"Accept": "text/event-stream", "Authorization": "Bearer " + "gwk_customs".ljust(40, "x")}
    url = f"{quiet.client.url}/v1/feeds/clearance"
    async with quiet.client.session.get(url, headers=headers) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        first = (await response.content.readuntil(b"\n\n")).decode()
        await publish(quiet, 2)
        second = (await asyncio.wait_for(response.content.readuntil(b"\n\n"), 10)).decode()
    assert '"n":"1"' in first
    assert '"n":"2"' in second
    place = first.splitlines()[0].removeprefix("id: ")
    async with quiet.client.session.get(url, headers={**headers, "Last-Event-ID": place}) as response:
        resumed = (await asyncio.wait_for(response.content.readuntil(b"\n\n"), 10)).decode()
    assert resumed == second


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "No partner is registered as PORT9, who should get the clearance notice."),
        ("zh-Hans-CN", "应接收通关单的 PORT9 未登记为交换方。"),
    ],
)
async def test_an_alert_is_told_in_its_readers_language(quiet: Quiet, language: str, text: str):
    """It is kept as codes and values; its digest is of the words that are sent."""
    reason = make_finding("deliver.recipient_unknown", recipient="PORT9", document="clearance")
    await quiet.store.raise_alert(Alert("recipient_unknown", "d1", (reason,), NOW))
    page = await quiet.client.ask("GET", "/v1/feeds/alerts", as_="operator")
    (entry,) = page.json["items"]
    answer = await quiet.client.ask("GET", entry["link"], as_="operator", headers={"Accept-Language": language})
    assert answer.json["reasons"] == [
        {"code": reason.code, "args": {"document": "clearance", "recipient": "PORT9"}, "text": text}
    ]
    assert answer.headers["Content-Language"] == language[:2]
    assert answer.headers["Content-Digest"] == content_digest(sha256(answer.body).digest())


async def test_whoever_fetches_takes_part_in_the_case(filled: Filled, quiet: Quiet):
    """An entry for all customs offices lets one read its document, and from then on the case; looking at the list does not."""
    assert (await quiet.client.send(b"2", as_="rival")).status == 202
    (claimed,) = await quiet.store.claim_payloads(1, timedelta(minutes=1), NOW)
    body = b'{"number":"N-2"}'
    opened = CaseChange("c-2", 0, "notified", "rival", False, documents={"clearance": {"number": "N-2"}})
    entry = model.FeedEntry(
        "clearance", "@role:customs", "clearance", "f-2", sha256(body).hexdigest(), {}, body=body, case_id="c-2", at=NOW
    )
    await quiet.store.commit(Outcome(claimed.work, 0, finished=True, cases=(opened,), feed=(entry,)))
    items = (await read(quiet))["items"]
    link = next(one["link"] for one in items if one["document_id"] == "f-2")
    assert (await quiet.client.ask("GET", "/v1/cases/c-2", as_="customs")).status == 404
    assert (await quiet.client.ask("GET", link, as_="acme")).status == 404
    assert (await quiet.client.ask("GET", "/v1/cases/c-2", as_="acme")).status == 404
    for _ in range(2):
        assert (await quiet.client.ask("GET", link, as_="customs")).body == body
    (case,) = (await quiet.client.ask("GET", "/v1/cases/c-2", as_="customs")).json["items"]
    assert case["documents"] == {"clearance": {"number": "N-2"}}
    # Nobody is asked who reads for the operator.
    assert (await quiet.client.ask("GET", link, as_="operator")).status == 200


async def test_a_partner_lists_its_own_subscriptions(quiet: Quiet):
    """What it has asked for, without what has ended, and nobody else's."""
    assert (await quiet.client.send(b"s", as_="customs")).status == 202
    (claimed,) = await quiet.store.claim_payloads(1, timedelta(minutes=1), NOW)
    wanted = model.Subscription("customs", "S-1", 1, "clearance", {"notice": frozenset({"2", "1"})}, push=True)
    ended = model.Subscription("customs", "S-2", 1, "clearance", ended=True)
    await quiet.store.commit(Outcome(claimed.work, 0, finished=True, subscriptions=(wanted, ended)))
    (item,) = (await quiet.client.ask("GET", "/v1/subscriptions", as_="customs")).json["items"]
    assert (item["id"], item["feed"], item["handing"], item["keys"]) == (
        "S-1",
        "clearance",
        "push",
        {"notice": ["1", "2"]},
    )
    assert (await quiet.client.ask("GET", "/v1/subscriptions", as_="rival")).json == {"items": []}


def test_a_rule_takes_a_reader_away_and_adds_none():
    """What a flow lets be read is narrowed by the rules of feeds; one that would widen it is refused at load."""
    flows = find_flows()
    nobody = FeedRule(source="made for the test", readers=frozenset())
    assert flows.readers({"clearance": nobody})["clearance"] == frozenset()
    assert flows.readers({})["clearance"] == {Role.CUSTOMS}
    flows.check_feeds({"clearance": nobody})
    with pytest.raises(FlowsInvalid, match="lets port read the feed clearance"):
        flows.check_feeds({"clearance": FeedRule(source="x", readers=frozenset({Role.PORT}))})
    with pytest.raises(FlowsInvalid, match="which no flow writes"):
        flows.check_feeds({"rumours": nobody})
