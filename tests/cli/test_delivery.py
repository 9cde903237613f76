"""Deliveries and endpoints on the command line: what was tried, and what an operator orders."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.opening import with_store
from gateway.cli.words import state
from gateway.model import Changer, DeliveryState, Endpoint, Partner, Stop, Transcript
from gateway.store.contract import AttemptResult, AuditWanted
from gateway.store.ports import Store
from tests.store.made import deliver_later, delivery

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOLD = Transcript(
    "https://customs.example/in",
    (("Authorization", "…"), ("Idempotency-Key", "b")),
    None,
    "",
    "500 Oops",
    (("Server", "x"),),
    "内部错误".encode(),
    0.25,
)


@pytest.fixture
def filled(run, tmp_path: Path) -> Path:
    """Three deliveries: one waits, one has failed once, one is delivered; and an endpoint that fails."""

    async def fill(store: Store) -> None:
        await store.import_partners((Partner("customs", "Customs"),), (), ())
        await deliver_later(store, *(delivery(id_, id_) for id_ in "abc"))
        held = {one.id: one for one in await store.claim_deliveries(9, timedelta(minutes=1), NOW)}
        key = ("customs", "http", TOLD.address)
        failing = Endpoint(*key, 5, NOW, Stop.TRIPPED, NOW + timedelta(minutes=1), "500 Oops")
        ends = {
            "a": AttemptResult("a", held["a"].fence, 1, "put_off", NOW, "spared", NOW),
            "b": AttemptResult(
                "b", held["b"].fence, 1, "deferred", NOW, "500 Oops", NOW, transcript=TOLD, endpoint=failing
            ),
            "c": AttemptResult("c", held["c"].fence, 1, "delivered", NOW, "200 OK"),
        }
        for id_ in held:
            await store.finish_attempt(ends[id_])

    assert run("migrate").code == 0
    with_store(tmp_path / "gateway.toml", fill, make=True)
    run("delivery", "list")  # takes what the store logged just now
    return tmp_path


def test_what_was_tried_is_shown(run, filled):
    """A delivery's attempts with what was said and answered, for people and for programs, without a secret."""
    assert [line["id"] for line in run("delivery", "list", "--json").lines] == ["c", "b", "a"]
    assert [line["id"] for line in run("delivery", "list", "--state", "delivered", "--json").lines] == ["c"]
    shown = run("delivery", "show", "b")
    for said in ("> https://customs.example/in", "> Authorization: …", "< 500 Oops", "< 内部错误", "0.250 s"):
        assert said in shown.out
    (attempt,) = run("delivery", "show", "b", "--json").json["attempts"]
    assert (attempt["outcome"], attempt["address"], attempt["seconds"]) == ("deferred", TOLD.address, 0.25)
    assert attempt["answer"] == {"status": "500 Oops", "headers": [["Server", "x"]], "body": "内部错误"}
    assert run("delivery", "show", "a", "--json").json["attempts"] == []
    assert run("delivery", "show", "b", "--body").out == "body of b"
    assert "暂未送达" in run("delivery", "show", "b", "--lang", "zh").out


def test_what_cannot_be_asked_like_that(run, filled):
    """An unknown delivery is exit code 1, an unknown state a fault of usage."""
    assert run("delivery", "show", "none").code == 1
    wrong = run("delivery", "list", "--state", "lost")
    assert (wrong.code, "awaiting" in wrong.err) == (2, True)


def test_orders_are_carried_out_one_by_one_and_audited(run, filled):
    """What may be done is done, what may not is told with its state; the audit says who and why."""
    done = run("delivery", "resend", "c", "a", "none", "--reason", "they lost it")
    assert done.code == 1
    assert "c: pending" in done.err
    assert "a: The delivery is not over: it is pending." in done.err
    assert "none: there is no delivery none" in done.err
    assert run("delivery", "hold", "a", "--json").lines == [{"id": "a", "state": "held"}]
    assert run("delivery", "show", "a", "--json").json["held_for"] == "ordered"
    assert "by order" in run("delivery", "show", "a").out
    assert run("delivery", "skip", "a").code == 0
    assert run("delivery", "retry", "b").code == 0
    told = audited(filled)
    assert [(action, subject) for action, subject, _ in told] == [
        ("delivery.retry", "b"),
        ("delivery.skip", "a"),
        ("delivery.hold", "a"),
        ("delivery.resend", "c"),
    ]
    assert told[-1][2] == {"state": "pending", "why": "they lost it"}


def test_endpoints_are_listed_paused_and_resumed(run, filled):
    """One that fails, one that a person paused; and what is not stopped cannot be resumed."""
    (failing,) = run("endpoint", "list", "--json").lines
    assert (failing["partner_id"], failing["stop"], failing["failures"]) == ("customs", "tripped", 5)
    assert "连续失败" in run("endpoint", "list", "--lang", "zh").out
    assert run("endpoint", "pause", "cust", "--reason", "moving house").code == 0
    assert [line["stop"] for line in run("endpoint", "list", "--json").lines] == ["paused", "tripped"]
    assert run("endpoint", "resume", "customs").code == 0
    resumed = run("endpoint", "resume", "customs", "--transport", "http", "--address", failing["address"])
    assert resumed.code == 0
    assert run("endpoint", "list", "--json").lines == []
    assert run("endpoint", "resume", "customs").code == 1
    assert run("endpoint", "pause", "nobody").code != 0
    assert [action for action, _, _ in audited(filled)] == [
        "endpoint.resume",
        "endpoint.resume",
        "endpoint.pause",
    ]


def audited(folder: Path) -> list[tuple[str, str, dict[str, str]]]:
    """Actions of the audit that were no import, the newest first."""

    async def read(store: Store) -> list[dict[str, Any]]:
        return [json.loads(line.body) for line in await store.audit_lines(AuditWanted(), -1, 50)]

    lines = with_store(folder / "gateway.toml", read)
    assert {line["actor"]["person"] for line in lines} == {Changer().person_id}
    return [
        (line["action"], line["subject"], line["after"]) for line in lines if not line["action"].startswith("registry")
    ]


def test_the_states_have_words():
    """Each state of a delivery is told in Chinese."""
    assert not any(state(one.value, "zh").isascii() for one in DeliveryState)
