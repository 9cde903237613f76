"""Deliveries as the recipient's engineer sees them: attempts, orders, and endpoints that are paused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.model import Agreement, DeliveryState, Direction, Endpoint, Stop, Transcript
from gateway.store.contract import AttemptResult
from tests.store.made import deliver_later, delivery
from tests.web.conftest import Client, Filled

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = ("customs", "http", "https://customs.example/in")


@pytest.fixture
async def tried(filled: Filled) -> Client:
    """Customs' d-1 has failed once and waits; another was delivered; one of another partner waits as well."""
    store = filled.client.services.store
    await deliver_later(store, delivery("d-2", "l2"), delivery("d-3", "l3", partner_id="rival"), number=77)
    await deliver_later(store, delivery("d-4", "l4", test=True), number=78)
    told = Transcript(KEY[2], (("Id", "d-1"),), 12, "ab", "503 Busy", (("Retry-After", "9"),), b"later", 0.5)
    for one in await store.claim_deliveries(9, timedelta(minutes=1), NOW):
        made = AttemptResult(
            one.id, one.fence, 1, "deferred", NOW, "503 Busy", NOW + timedelta(days=900), transcript=told
        )
        if one.id == "d-2":
            made = replace(made, outcome="delivered", next_at=None)
        await store.finish_attempt(made)
    return filled.client


async def test_a_recipient_sees_its_own_with_all_attempts(tried: Client) -> None:
    """Where each went, what was said, what came back; nobody else's."""
    page = (await tried.ask("GET", "/v1/deliveries", as_="customs")).json
    assert [one["id"] for one in page["items"]] == ["d-4", "d-2", "d-1"]
    assert {one["recipient"] for one in page["items"]} == {"customs"}
    some = (await tried.ask("GET", "/v1/deliveries?state=delivered", as_="customs")).json
    assert [one["id"] for one in some["items"]] == ["d-2"]
    everybodys = (await tried.ask("GET", "/v1/deliveries", as_="operator")).json["items"]
    assert "d-3" in [one["id"] for one in everybodys]
    theirs = (await tried.ask("GET", "/v1/deliveries?partner=rival", as_="operator")).json["items"]
    assert [one["id"] for one in theirs] == ["d-3"]
    # Whoever names another partner gets its own.
    assert (await tried.ask("GET", "/v1/deliveries?partner=customs", as_="rival")).json["items"][0]["id"] == "d-3"

    whole = (await tried.ask("GET", "/v1/deliveries/d-1", as_="customs")).json
    (attempt,) = whole["attempts"]
    assert (attempt["outcome"], attempt["address"], attempt["seconds"]) == ("deferred", KEY[2], 0.5)
    assert attempt["request"] == {"headers": [["Id", "d-1"]], "size": 12, "sha256": "ab", "status": None, "body": None}
    assert attempt["answer"]["status"] == "503 Busy"
    assert attempt["answer"]["body"] == "later"


async def test_what_goes_via_another_says_nothing_of_the_other(tried: Client) -> None:
    """Where the partner that serves the recipient is reached, and what it answers, is told to the operator alone."""
    via = Agreement("customs-out", "customs", Direction.OUT, "*", "json:clearance:1", via="rival")
    await tried.services.store.import_partners((), (via,), ())
    (known,) = (await tried.ask("GET", "/v1/deliveries/d-1", as_="operator")).json["attempts"]
    assert (known["address"], known["detail"]) == (KEY[2], "503 Busy")
    whole = (await tried.ask("GET", "/v1/deliveries/d-1", as_="customs")).json
    (attempt,) = whole["attempts"]
    assert (attempt["outcome"], attempt["seconds"], attempt["detail"]) == ("deferred", 0.5, "")
    assert {attempt["address"], attempt["request"], attempt["answer"]} == {None}
    listed = (await tried.ask("GET", "/v1/deliveries?state=pending", as_="customs")).json["items"]
    ordered = (await tried.ask("POST", "/v1/deliveries/d-1/retry", as_="customs")).json["delivery"]
    assert [one["last_error"] for one in (*listed, whole["delivery"], ordered)] == [""] * (len(listed) + 2)


async def test_pages_follow_one_another(tried: Client) -> None:
    """Each delivery is on one page, in order."""
    seen, next_ = list[str](), ""
    for _ in range(9):
        page = (await tried.ask("GET", f"/v1/deliveries?limit=1&cursor={next_}", as_="customs")).json
        seen += [one["id"] for one in page["items"]]
        next_ = page["next"]
        if next_ is None:
            break
    assert seen == ["d-4", "d-2", "d-1"]


async def test_a_recipient_has_its_own_sent_again(tried: Client) -> None:
    """What waits is due at once, what is over goes once more; by a key that may send."""
    answer = await tried.ask("POST", "/v1/deliveries/d-1/retry", as_="customs", json={"reason": "we are back"})
    assert (answer.status, answer.json["delivery"]["state"]) == (200, "pending")
    assert datetime.fromisoformat(answer.json["delivery"]["next_at"]) < NOW + timedelta(days=900)
    assert (await tried.ask("POST", "/v1/deliveries/d-2/retry", as_="customs")).status == 409
    answer = await tried.ask("POST", "/v1/deliveries/d-2/resend", as_="customs")
    assert (answer.status, answer.json["delivery"]["state"], answer.json["delivery"]["attempts"]) == (200, "pending", 1)
    for order in ("hold", "skip"):
        assert (await tried.ask("POST", f"/v1/deliveries/d-1/{order}", as_="customs")).status == 403
    assert (await tried.ask("POST", "/v1/deliveries/d-3/retry", as_="acme-read")).status == 403
    entries = (await tried.ask("GET", "/v1/audit", as_="operator")).json["items"]
    told = [(one["action"], one["subject"], one["actor"]["partner"], one["after"].get("why")) for one in entries[:2]]
    assert told == [
        ("delivery.resend", "d-2", "customs", None),
        ("delivery.retry", "d-1", "customs", "we are back"),
    ]


async def test_the_operator_holds_and_skips(tried: Client) -> None:
    """A held one says why; it is let go by a retry, or skipped for good."""
    held = await tried.ask("POST", "/v1/deliveries/d-1/hold", as_="operator")
    assert (held.json["delivery"]["state"], held.json["delivery"]["held_for"]) == ("held", "ordered")
    assert (await tried.ask("POST", "/v1/deliveries/d-1/skip", as_="operator")).json["delivery"]["state"] == "skipped"
    again = await tried.ask("POST", "/v1/deliveries/d-1/skip", as_="operator", headers={"Accept-Language": "zh"})
    assert (again.status, again.json["detail"]) == (409, "该投递已结束（skipped）。")
    assert (await tried.services.store.delivery("d-1")).state is DeliveryState.SKIPPED


async def test_a_body_that_is_no_order_is_refused(tried: Client) -> None:
    """And nothing happens to the delivery."""
    for sent in (b"[]", b'{"reasons": 1}', b'{"reason": "%s"}' % (b"x" * 501), b"\xff", b"x" * 70_000):
        answer = await tried.ask("POST", "/v1/deliveries/d-1/hold", as_="operator", data=sent)
        assert answer.status == 400
    assert (await tried.services.store.delivery("d-1")).state is DeliveryState.PENDING


async def test_a_partner_pauses_its_own_endpoint(tried: Client) -> None:
    """By itself, or as a whole; another's only the operator, and live traffic no test key."""
    wanted = {"transport": "http", "address": KEY[2], "reason": "maintenance"}
    paused = await tried.ask("POST", "/v1/endpoints/pause", as_="customs", json=wanted)
    assert (paused.status, paused.json["stop"], paused.json["by"]) == (200, "paused", "customs-1")
    (found,) = (await tried.ask("GET", "/v1/endpoints", as_="customs")).json["items"]
    assert (found["address"], found["said"]) == (KEY[2], "maintenance")
    assert (await tried.ask("GET", "/v1/endpoints", as_="rival")).json["items"] == []
    assert (
        await tried.ask("POST", "/v1/endpoints/resume", as_="rival", json={**wanted, "partner": "customs"})
    ).status == 403
    assert (await tried.ask("POST", "/v1/endpoints/pause", as_="acme-test")).status == 403
    await tried.ask("POST", "/v1/endpoints/pause", as_="operator", json={"partner": "rival"})
    assert (await tried.ask("POST", "/v1/endpoints/resume", as_="rival")).status == 403
    assert (await tried.ask("POST", "/v1/endpoints/resume", as_="operator", json={"partner": "rival"})).status == 200
    nowhere = {"address": KEY[2]}
    assert (await tried.ask("POST", "/v1/endpoints/pause", as_="customs", json=nowhere)).status == 400
    resumed = await tried.ask("POST", "/v1/endpoints/resume", as_="operator", json={**wanted, "partner": "customs"})
    assert (resumed.status, resumed.json["stop"]) == (200, None)
    assert (await tried.ask("POST", "/v1/endpoints/resume", as_="customs", json=wanted)).status == 404
    assert (await tried.ask("POST", "/v1/endpoints/pause", as_="operator", json={"partner": "nobody"})).status == 404


async def test_a_partner_fills_nothing_with_pauses(tried: Client) -> None:
    """So many at most, whatever addresses it makes up; one that is paused may be paused anew, and another partner's as well."""
    store = tried.services.store
    for number in range(100):
        await store.pause_endpoint(("customs", "http", f"https://customs.example/{number}"), NOW)
    for language, words in (
        ("en", "At most 100 endpoints of a partner are paused."),
        ("zh", "每个合作方最多可暂停 100 个端点。"),
    ):
        refused = await tried.ask("POST", "/v1/endpoints/pause", as_="customs", headers={"Accept-Language": language})
        assert (refused.status, refused.json["detail"]) == (409, words)
    again = {"transport": "http", "address": "https://customs.example/7", "reason": "still"}
    assert (await tried.ask("POST", "/v1/endpoints/pause", as_="customs", json=again)).json["said"] == "still"
    assert (await tried.ask("POST", "/v1/endpoints/pause", as_="rival")).status == 200
    assert (await tried.ask("POST", "/v1/endpoints/resume", as_="customs", json=again)).status == 200
    assert (await tried.ask("POST", "/v1/endpoints/pause", as_="customs")).status == 200


async def test_what_the_operator_holds_its_recipient_does_not_let_go(tried: Client) -> None:
    """Nobody but the operator, whatever the recipient's key may do; what waits for another reason it may have."""
    await tried.ask("POST", "/v1/deliveries/d-1/hold", as_="operator")
    for language, words in (
        ("en", "What the operator holds, only the operator lets go."),
        ("zh", "由网关运营方扣留的投递，只能由运营方放行。"),
    ):
        asked = await tried.ask(
            "POST", "/v1/deliveries/d-1/retry", as_="customs", headers={"Accept-Language": language}
        )
        assert (asked.status, asked.json["detail"]) == (403, words)
    assert (await tried.services.store.delivery("d-1")).state is DeliveryState.HELD
    let_go = await tried.ask("POST", "/v1/deliveries/d-1/retry", as_="operator")
    assert let_go.json["delivery"]["state"] == "pending"


async def test_one_that_fails_says_since_when(tried: Client) -> None:
    """Failures, the last words, and when one is tried again."""
    store = tried.services.store
    (held,) = [
        one
        for one in await store.claim_deliveries(9, timedelta(minutes=1), NOW + timedelta(days=901))
        if one.id == "d-1"
    ]
    failing = Endpoint(*KEY, 5, NOW, Stop.TRIPPED, NOW + timedelta(minutes=1), "503 Busy")
    await store.finish_attempt(AttemptResult("d-1", held.fence, 2, "deferred", NOW, "503", NOW, endpoint=failing))
    (found,) = (await tried.ask("GET", "/v1/endpoints", as_="customs")).json["items"]
    assert (found["stop"], found["failures"], found["said"]) == ("tripped", 5, "503 Busy")
    assert datetime.fromisoformat(found["until"]) == NOW + timedelta(minutes=1)
