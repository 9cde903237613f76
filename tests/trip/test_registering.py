"""Registrations through the middle of the gateway: a long list is decided piece by piece, and answered as one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.decide.facts import Facts, Subject
from gateway.decide.subjects import attributes_of
from gateway.errors import StoreUnavailable
from gateway.model import MessageState, Registered
from gateway.store.contract import Outcome, PayloadView
from gateway.trip import pieces
from tests.trip.rig import House, house
from tests.trip.test_answers import as_json

DAY = "2026-03-05"


@pytest.fixture
async def registry(where: Path | str, tmp_path: Path) -> AsyncIterator[House]:
    """A gateway's middle."""
    async with house(tmp_path, where) as one:
        yield one


def number(index: int) -> str:
    return f"37029{index:05}"


def registration(count: int, *, bad: int = -1, reference: str = "REG-1") -> bytes:
    """A list of firms, of which one is registered for a day that is past."""
    lines = [
        {
            "scheme": "ciq-registration",
            "value": number(index),
            "action": "register",
            "valid_from": "2026-03-01" if index == bad else DAY,
            "attributes": {"credit_grade": "B"},
        }
        for index in range(count)
    ]
    return as_json("registration", reference, reference=reference, lines=lines)


async def response(gateway: House) -> dict[str, Any]:
    """The newest answer to the bureau."""
    entry = [one for one in await gateway.inbox("bureau") if one.document_type == "response"][-1]
    document: dict[str, Any] = json.loads(entry.body)["document"]
    return document


async def registered(gateway: House, index: int) -> Registered:
    query = Subject("ciq-registration", number(index), date(2026, 3, 5))
    return (await gateway.store.facts([query], Facts(), "m"))[query]


def state(view: PayloadView) -> MessageState:
    (message,) = view.messages
    return message.state


async def test_a_long_list_is_answered_line_by_line(registry: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decided in pieces of so many lines, each a commit; one answer has every line's outcome under its number."""
    monkeypatch.setattr(pieces, "LINES", 10)
    commits = await counted(registry, monkeypatch)
    view = await registry.through(registration(25, bad=17), "bureau")
    assert state(view) is MessageState.ACCEPTED
    assert sum(len(outcome.subjects) > 0 for outcome in commits) == 3
    assert max(len(outcome.subjects) for outcome in commits) == 10
    answer = await response(registry)
    assert (answer["outcome"], [line["number"] for line in answer["lines"]]) == ("accepted", list(range(1, 26)))
    assert [line["number"] for line in answer["lines"] if line["outcome"] == "refused"] == [18]
    found = [await registered(registry, index) for index in (0, 17, 24)]
    assert [one.newest for one in found] == [1, 0, 1]
    feed = await registry.feed("registry", "customs")
    assert sum(len(json.loads(entry.body)["lines"]) for entry in feed) == 24


async def counted(gateway: House, monkeypatch: pytest.MonkeyPatch) -> list[Outcome]:
    """What is committed from now on."""
    commit, seen = gateway.store.commit, list[Outcome]()

    async def watched(outcome: Outcome) -> None:
        seen.append(outcome)
        await commit(outcome)

    monkeypatch.setattr(gateway.store, "commit", watched)
    return seen


async def test_a_list_that_was_interrupted_is_decided_to_its_end(
    registry: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the store goes away between two pieces, all are decided again: each firm has one version, and one answer leaves."""
    monkeypatch.setattr(pieces, "LINES", 10)
    commit, left = registry.store.commit, [2]

    async def goes_away(outcome: Outcome) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise StoreUnavailable
        await commit(outcome)

    monkeypatch.setattr(registry.store, "commit", goes_away)
    accepted = await registry.send(registration(25), "bureau")
    await registry.work()
    assert left[0] <= 0
    registry.clock.forward(seconds=1)
    await registry.work()
    view = await registry.store.payload(accepted.payload_id)
    assert state(view) is MessageState.ACCEPTED
    assert [(await registered(registry, index)).newest for index in (0, 10, 24)] == [1, 1, 1]
    answers = [one for one in await registry.inbox("bureau") if one.document_type == "response"]
    assert len(answers) == 1
    assert {line["outcome"] for line in (await response(registry))["lines"]} == {"accepted"}


async def test_a_list_in_which_nothing_can_be_registered_is_refused(
    registry: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its pieces: its sender is no authority, and learns it line by line."""
    monkeypatch.setattr(pieces, "LINES", 2)
    await registry.through(registration(5), "rival")
    answer = json.loads((await registry.inbox("rival"))[-1].body)["document"]
    assert (answer["outcome"], len(answer["lines"])) == ("refused", 5)
    assert (await registered(registry, 0)).newest == 0


async def test_a_subject_that_comes_again_in_another_piece_is_refused(
    registry: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lines say of one another is judged of the whole list: the same lines have one outcome, however many there are."""
    lines = [asked(0), *(asked(index) for index in range(1, 4)), asked(0, action="close")]
    outcomes = []
    for most in (10, 2):
        monkeypatch.setattr(pieces, "LINES", most)
        reference = f"REG-{most}"
        await registry.through(as_json("registration", reference, reference=reference, lines=lines), "bureau")
        told = (await response(registry))["lines"]
        outcomes.append([(line["outcome"], [one["code"] for one in line.get("reasons", ())]) for line in told])
    assert outcomes[0] == outcomes[1] == [*([("accepted", [])] * 4), ("refused", ["decide.registration.twice"])]
    version = (await registered(registry, 0)).version
    assert version is not None
    assert version.state == "registered"


async def test_every_piece_tells_its_faults_at_their_lines(registry: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused list is told as one that is not split: each reason at its line of the whole, in the sender's own places."""
    told = []
    for most in (10, 2):
        monkeypatch.setattr(pieces, "LINES", most)
        view = await registry.through(registration(5, reference=f"REG-{most}"), "rival")
        answer = json.loads((await registry.inbox("rival"))[-1].body)["document"]
        assert {line["number"]: line["reasons"][0]["field"] for line in answer["lines"]} == {
            number: f"lines[{number - 1}].value" for number in range(1, 6)
        }
        (message,) = view.messages
        told.append(([(one.code, one.place) for one in message.findings], answer["reasons"], answer["lines"]))
    assert told[0] == told[1]
    assert {one["place"] for one in told[1][1]} >= {f"/lines/{index}/value" for index in range(5)}


async def test_a_list_is_emptied_by_what_a_message_says(registry: House) -> None:
    """A list without an item in the sender's JSON takes away what was there; one that is left out does not."""
    for reference, attributes, agents in (
        ("REG-1", {"agents": [{"agent": "3702900001"}]}, 1),
        ("REG-2", {"credit_grade": "A"}, 1),
        ("REG-3", {"agents": []}, 0),
    ):
        action = "register" if reference == "REG-1" else "change"
        lines = [asked(0, action=action, attributes=attributes)]
        view = await registry.through(as_json("registration", reference, reference=reference, lines=lines), "bureau")
        assert state(view) is MessageState.ACCEPTED
        assert len(attributes_of(await registered(registry, 0)).agents) == agents


def asked(index: int, **more: Any) -> dict[str, Any]:
    """A line about a firm."""
    return {"scheme": "ciq-registration", "value": number(index), "action": "register", "valid_from": DAY, **more}
